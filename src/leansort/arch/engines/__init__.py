"""Engines that need PyTorch, for bundles that hold an architecture and weights in place of a graph."""
