"""Damaged images: those that decode, but not to the pixels that were stored. Begin with `watch`."""
