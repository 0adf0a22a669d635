"""Augmentation of training crops, in whole batches on uint8 pixels.

Imports no other room. Begin with `augment_config` (what a recipe can ask for), then `draws` (which random numbers
decide it) and `batch` (how it is applied).
"""
