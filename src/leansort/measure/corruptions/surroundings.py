"""What a photo might show beyond its edges: its own edge pixels, smoothed the more the further out, with its grain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from leansort.measure.corruptions.arrays import Floats, Image, Rng, resize_levels, resize_pixels

_COARSE = 24  # pixels of the longer side in which the outside is smoothed
_PASSES = 40
_FADE = 0.12  # of the longer side: how far out the edge's own pixels go on
_RIM = 0.03  # of the longer side: how far in the edge's pixels are averaged


class Margins(NamedTuple):
    """Pixels on each side."""

    top: int
    bottom: int
    left: int
    right: int


def extend(image: Image, margins: Margins, rng: Rng) -> Image:
    """Surround an image with more of the ground that its edges show.

    Args:
        image: (h, w, 3).
        margins: how many pixels to add on each side, 0 or more.
        rng: of this image, for the grain.

    Returns:
        (h + top + bottom, w + left + right, 3), in which the image stands unchanged.
    """
    top, bottom, left, right = margins
    sides = ((top, bottom), (left, right), (0, 0))
    rim = max(1, round(_RIM * max(image.shape[:2])))
    ground = np.pad(_edges_averaged(image, rim), sides, mode="edge")
    inside = np.pad(np.ones(image.shape[:2], np.float32), sides[:2])
    near = _nearness(image.shape[:2], margins)[..., None]
    made = ground * near + _smoothed(ground, inside) * (1 - near)
    made += _grain(image, rim) * rng.standard_normal((*inside.shape, 1), np.float32)
    result = np.clip(made + 0.5, 0, 255).astype(np.uint8)
    result[top : top + image.shape[0], left : left + image.shape[1]] = image
    return result


def _nearness(size: tuple[int, ...], margins: Margins) -> Floats:
    """1 at the image's edge, falling off outward: there its edge pixels go on, so that no seam is seen."""
    top, bottom, left, right = margins
    down = np.pad(np.zeros(size[0]), (top, bottom), "linear_ramp", end_values=(top, bottom))
    along = np.pad(np.zeros(size[1]), (left, right), "linear_ramp", end_values=(left, right))
    return np.exp(-np.hypot(down[:, None], along[None]) / (_FADE * max(size))).astype(np.float32)


def _edges_averaged(image: Image, rim: int) -> Image:
    """The image whose outermost pixels are means over the rim behind them, so that no speck is drawn out to a line."""
    made = image.copy()
    made[0], made[-1] = (part.mean(axis=0) for part in (image[:rim], image[-rim:]))
    made[:, 0], made[:, -1] = (part.mean(axis=1) for part in (image[:, :rim], image[:, -rim:]))
    return made


def _smoothed(ground: Image, inside: Floats) -> Floats:
    """Colours that run smoothly outward from the image: diffusion on a coarse grid that holds the image as it is."""
    height, width = inside.shape
    scale = _COARSE / max(height, width)
    rows, columns = (max(3, round(side * scale)) for side in (height, width))
    fixed = resize_levels(inside, rows, columns, smooth=False)[..., None] > 0.5
    known = resize_pixels(ground, rows, columns).astype(np.float32)
    wide = np.pad(known, ((1, 1), (1, 1), (0, 0)), mode="edge")
    for _ in range(_PASSES):
        mean = (wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]) / 4
        wide[1:-1, 1:-1] = np.where(fixed, known, mean)
        wide[0], wide[-1] = wide[1], wide[-2]
        wide[:, 0], wide[:, -1] = wide[:, 1], wide[:, -2]
    field = np.clip(wide[1:-1, 1:-1] + 0.5, 0, 255).astype(np.uint8)
    return resize_pixels(field, height, width).astype(np.float32)


def _grain(image: Image, rim: int) -> np.float32:
    """Deviation of neighbouring pixels along the edges: how rough the ground is."""
    parts = [np.diff(part.astype(np.float32), axis=0) for part in (image[:, :rim], image[:, -rim:])]
    parts += [np.diff(part.astype(np.float32), axis=1).swapaxes(0, 1) for part in (image[:rim], image[-rim:])]
    middle = [float(np.median(np.abs(part))) for part in parts if part.size]
    return np.float32(min(float(np.median(middle)) if middle else 0.0, 8.0))
