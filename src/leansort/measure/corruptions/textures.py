"""Grounds that trash lies on: drawn ones, and a folder of a user's own photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leansort.measure.corruptions.arrays import Floats, Image, Rng, resize_pixels, smooth_field, to_levels

Colour = tuple[float, float, float]


def _tinted(colour: Colour, light: npt.NDArray[np.floating], rng: Rng) -> Floats:
    """A colour, a little different each time, under this light (h, w)."""
    own = np.array(colour) * np.exp(rng.normal(0, 0.06, 3))
    return np.asarray(own * light[..., None], np.float32)


def _lines(rng: Rng, length: int, step: float, width: float) -> npt.NDArray[np.bool_]:
    """Where lines of a regular grid stand, along one side."""
    return np.asarray((np.arange(length) + rng.uniform(0, step)) % step < width)


def draw_tiles(rng: Rng, height: int, width: int) -> Floats:
    """Floor tiles: squares that differ a little, with dark joints."""
    step = max(height, width) * float(rng.uniform(0.18, 0.4))
    joints = _lines(rng, height, step, step * 0.04)[:, None] | _lines(rng, width, step, step * 0.04)[None]
    rows, columns = (np.arange(side) // step for side in (height, width))
    squares = rng.normal(0, 0.05, (int(rows[-1]) + 1, int(columns[-1]) + 1))
    light = 0.95 + squares[rows.astype(int)][:, columns.astype(int)] + 0.05 * smooth_field(rng, height, width, 20, 3)
    colours: Sequence[Colour] = ((0.72, 0.68, 0.6), (0.55, 0.57, 0.6), (0.62, 0.42, 0.33), (0.35, 0.38, 0.4))
    return _tinted(colours[int(rng.integers(4))], np.where(joints, 0.5, light), rng)


def draw_concrete(rng: Rng, height: int, width: int) -> Floats:
    """Concrete: stains, grain and pores."""
    light = 0.9 + 0.1 * smooth_field(rng, height, width, 4, 4) + rng.normal(0, 0.05, (height, width))
    pores = smooth_field(rng, height, width, 70) > 2.2
    return _tinted((0.55, 0.54, 0.52), np.where(pores, 0.55, light), rng)


def draw_wood(rng: Rng, height: int, width: int) -> Floats:
    """Boards with grain along them."""
    rows = height / max(height, width)
    bent = 3.0 * smooth_field(rng, height, width, 2)
    rings = np.sin(np.linspace(0, rows * rng.uniform(60, 120), height)[:, None] + bent)
    fibres = smooth_field(rng, height, max(2, width // 16), 60)[:, np.arange(width) // 16 % max(2, width // 16)]
    step = max(height, width) * float(rng.uniform(0.2, 0.35))
    light = 0.9 + 0.1 * rings + 0.06 * fibres
    light = np.where(_lines(rng, height, step, 2.0)[:, None], 0.35, light)
    colours: Sequence[Colour] = ((0.66, 0.47, 0.3), (0.45, 0.3, 0.2), (0.72, 0.6, 0.44))
    return _tinted(colours[int(rng.integers(3))], light, rng)


def draw_belt(rng: Rng, height: int, width: int) -> Floats:
    """A conveyor belt: dark rubber with ribs and wear."""
    step = max(height, width) * float(rng.uniform(0.05, 0.14))
    ribs = np.where(_lines(rng, height, step, step * 0.25), 1.5, 1.0)[:, None]
    wear = 1 + 0.18 * smooth_field(rng, height, width, 6, 4)
    colours: Sequence[Colour] = ((0.13, 0.13, 0.14), (0.12, 0.25, 0.2), (0.2, 0.22, 0.25))
    return _tinted(colours[int(rng.integers(3))], ribs * wear, rng)


def draw_gravel(rng: Rng, height: int, width: int) -> Floats:
    """Gravel: stones of different grey, dark between them."""
    cells = float(rng.uniform(18, 40))
    edges = np.abs(smooth_field(rng, height, width, cells))
    stones = smooth_field(rng, height, width, cells * 0.8)
    light = np.clip(edges * 2.2, 0.25, 1.0) * (0.95 + 0.25 * stones) + rng.normal(0, 0.04, (height, width))
    return _tinted((0.56, 0.52, 0.47), light, rng)


def draw_cardboard(rng: Rng, height: int, width: int) -> Floats:
    """Cardboard: fine ribs, fibres and folds."""
    ribs = np.sin(np.arange(width) * 2 * np.pi / max(3.0, max(height, width) / 60))[None]
    light = 0.95 + 0.03 * ribs + 0.06 * smooth_field(rng, height, width, 5, 5)
    return _tinted((0.68, 0.53, 0.37), light, rng)


DRAWN: dict[str, Callable[[Rng, int, int], Floats]] = {
    "tiles": draw_tiles,
    "concrete": draw_concrete,
    "wood": draw_wood,
    "belt": draw_belt,
    "gravel": draw_gravel,
    "cardboard": draw_cardboard,
}


@dataclass(frozen=True)
class Grounds:
    """What objects are put on.

    Attributes:
        photos: a user's own grounds, uint8 (h, w, 3) each; where there are any, every other object lies on one.
        stock: grounds drawn beforehand, parts of which are taken in place of drawing one anew.
    """

    photos: tuple[Image, ...] = ()
    stock: tuple[Image, ...] = ()

    def draw(self, rng: Rng, height: int, width: int) -> Floats:
        """A ground of (height, width, 3), levels of 0 to 1, under a light that falls off to one side."""
        names = tuple(DRAWN)
        which, own, angle = int(rng.integers(len(names))), rng.random() < 0.5, float(rng.uniform(0, 2 * np.pi))
        known = self.photos if self.photos and own else self.stock
        if known:
            ground = to_levels(_part(known[int(rng.integers(len(known)))], rng, height, width))
        else:
            ground = DRAWN[names[which]](rng, height, width)
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        light = float(np.exp(rng.normal(0, 0.15))) * (1 + 0.12 * (x * np.cos(angle) + y * np.sin(angle)))
        return np.asarray(np.clip(ground * light[..., None], 0, 1), np.float32)


def _part(photo: Image, rng: Rng, height: int, width: int) -> Image:
    """A random part of a photo in the wanted proportions, half to all of what fits, resized."""
    rows, columns = photo.shape[:2]
    fits = min(rows / height, columns / width) * float(rng.uniform(0.5, 1.0))
    h, w = max(1, min(rows, round(height * fits))), max(1, min(columns, round(width * fits)))
    top, left = int(rng.integers(rows - h + 1)), int(rng.integers(columns - w + 1))
    return resize_pixels(photo[top : top + h, left : left + w], height, width)
