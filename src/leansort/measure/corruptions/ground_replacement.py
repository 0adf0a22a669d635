"""Other grounds: the object of a photo, cut out and put on a drawn texture or on a photo of a user's."""

from __future__ import annotations

import numpy as np

from leansort.measure.corruptions.arrays import Floats, Image, Rng, mean_colour, resize_levels, to_levels, to_pixels
from leansort.measure.corruptions.textures import Grounds

_SHADOW, _SHADOW_BLUR, _SHADOW_SHIFT = 0.35, 12, 0.015  # how dark, coarse, and far off as a fraction of the side


def replace_ground(image: Image, cover: Floats, how: tuple[float, float], grounds: Grounds, rng: Rng) -> Image:
    """Put an object on another ground.

    Args:
        image: (h, w, 3).
        cover: (h, w), 1 where the object is.
        how: how much of the new ground is mixed with the mean colour of the old one, 0 to 1, and the factor of its
            contrast.
        grounds: that are drawn from.
        rng: of this image.
    """
    share, contrast = how
    height, width = image.shape[:2]
    levels, outside = to_levels(image), 1 - cover[..., None]
    ground = grounds.draw(rng, height, width)
    if contrast != 1.0:
        mean = mean_colour(ground)
        ground = np.clip((ground - mean) * np.float32(contrast) + mean, 0, 1)
    if share < 1.0:
        old = outside.ravel() @ levels.reshape(-1, 3) / max(float(outside.sum()), 1.0)
        ground = np.float32(share) * ground + (1 - np.float32(share)) * old
    return to_pixels(levels * (1 - outside) + ground * _shadow(cover, rng)[..., None] * outside)


def _shadow(cover: Floats, rng: Rng) -> Floats:
    """How much light the ground gets (h, w): less about the object, to one side."""
    height, width = cover.shape
    coarse = max(3, height // _SHADOW_BLUR), max(3, width // _SHADOW_BLUR)
    spread = resize_levels(resize_levels(cover, *coarse, smooth=False), height, width, smooth=False)
    down, along = (round(float(shift)) for shift in rng.uniform(-1, 1, 2) * _SHADOW_SHIFT * max(height, width))
    moved = np.roll(spread, (down, along), axis=(0, 1))
    return np.asarray(1 - _SHADOW * np.clip(moved, 0, 1), np.float32)
