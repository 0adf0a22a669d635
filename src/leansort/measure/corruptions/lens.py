"""What lies between camera and object: specks and smears on the lens, and things that cover a part of the view."""

from __future__ import annotations

import math

import numpy as np

from leansort.measure.corruptions.arrays import Floats, Image, Rng, smooth_field, to_levels, to_pixels

_SPECKS, _SMEARS = 14.0, 3.0  # bumps along the longer side
_SOFT = 0.35  # of a field's deviation: dirt on a lens is out of focus
_DRY = np.array([[0.42, 0.36, 0.28], [0.55, 0.5, 0.42], [0.25, 0.22, 0.18]], np.float32)


def soil(image: Image, covered: float, rng: Rng) -> Image:
    """Specks and smears that cover about this fraction of the lens, out of focus and half transparent."""
    height, width = image.shape[:2]
    colour = _DRY[int(rng.integers(len(_DRY)))]
    specks, smears = (smooth_field(rng, height, width, cells, 2) for cells in (_SPECKS, _SMEARS))
    veil = np.maximum(0.85 * _over(specks, covered / 2), 0.55 * _over(smears, covered))[..., None]
    return to_pixels(to_levels(image) * (1 - veil) + colour * veil)


def _over(field: Floats, fraction: float) -> Floats:
    """1 where a field is among its highest `fraction`, with soft edges."""
    threshold = float(np.quantile(field, 1 - fraction))
    return np.asarray(np.clip((field - threshold) / _SOFT + 0.5, 0, 1), np.float32)


def occlude(image: Image, covered: float, rng: Rng) -> Image:
    """A thing of one colour that covers this fraction of the image, somewhere over its inner half."""
    height, width = image.shape[:2]
    middle_y, middle_x = rng.uniform(0.25, 0.75, 2) * (height, width)
    stretch = float(np.exp(rng.uniform(-0.5, 0.5)))
    angle = float(rng.uniform(0, math.pi))
    corners = int(rng.integers(3, 7))
    shade = 0.12 * smooth_field(rng, height, width, 6, 2)[..., None] + rng.uniform(0.1, 0.9, 3).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = y - middle_y, x - middle_x
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    distance = _distance(along / stretch, across * stretch, corners)
    edge = float(np.quantile(distance, covered))
    seen = np.clip(distance - edge + 0.5, 0, 1)[..., None]
    return to_pixels(to_levels(image) * seen + shade * (1 - seen))


def _distance(x: Floats, y: Floats, corners: int) -> Floats:
    """How large a regular polygon about the origin reaches each point."""
    turns = 2 * math.pi / corners * np.arange(corners)
    return np.asarray(np.max([x * math.cos(turn) + y * math.sin(turn) for turn in turns], axis=0), np.float32)
