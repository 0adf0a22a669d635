"""Light: how much of it there is, how it spreads over the levels, and its colour."""

from __future__ import annotations

import math

import numpy as np

from leansort.measure.corruptions.arrays import Floats, Image, Rng, mean_colour, to_levels, to_pixels

GAMMA = 2.2  # of sRGB, roughly: light is added up in linear numbers, pixels are not
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # of the channels, in linear light (BT.709)


def darken(image: Image, stops: float, rng: Rng) -> Image:
    """Expose by so many stops less: half the light for each."""
    return to_pixels(to_levels(image) * 2.0 ** (-stops / GAMMA))


def brighten(image: Image, added: float, rng: Rng) -> Image:
    """Add to the value of HSV, as ImageNet-C's `brightness` does."""
    levels = to_levels(image)
    value = levels.max(axis=2, keepdims=True)
    more = np.minimum(value + np.float32(added), 1.0)
    return to_pixels(np.where(value > 0, levels * more / np.maximum(value, 1e-6), more))


def flatten_contrast(image: Image, kept: float, rng: Rng) -> Image:
    """Keep a part of each channel's distance from its mean, as ImageNet-C's `contrast` does."""
    levels = to_levels(image)
    mean = mean_colour(levels)
    return to_pixels((levels - mean) * np.float32(kept) + mean)


def cast_colour(image: Image, strength: float, rng: Rng) -> Image:
    """Light of another colour, as bright as before: its three gains differ by `strength` in the logarithm."""
    light = to_levels(image) ** np.float32(GAMMA)
    cast = light * np.exp(strength * _hue(rng))
    cast *= (light @ _LUMINANCE).mean() / max(float((cast @ _LUMINANCE).mean()), 1e-6)
    return to_pixels(cast ** np.float32(1 / GAMMA))


def _hue(rng: Rng) -> Floats:
    """A random direction among colours: three numbers of mean 0, the highest 1 above the lowest."""
    angle = float(rng.uniform(0, 2 * math.pi))
    direction = np.cos(angle + np.array([0.0, 2 * math.pi / 3, 4 * math.pi / 3]))
    return np.asarray(direction / np.ptp(direction), np.float32)
