"""Colour and patches. A patch is float32 RGBA of shape (SIDE, SIDE, 4), 0 to 1, colour not multiplied by alpha.

Every class draws its base colour from the same wide palette: what tells the classes apart is shape, texture and
how light plays on them, never colour.
"""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt

from leansort.data.synthetic.texture import Grey, Rng

SIDE = 160
Patch = npt.NDArray[np.float32]
Colour = npt.NDArray[np.float32]


def colour(rng: Rng) -> Colour:
    """A base colour: often near white or grey, else any hue."""
    if rng.random() < 0.5:
        tint = rng.uniform(0.0, 0.12)
        value = rng.uniform(0.55, 0.97)
    else:
        tint = rng.uniform(0.2, 0.75)
        value = rng.uniform(0.4, 0.95)
    return np.asarray(colorsys.hsv_to_rgb(float(rng.random()), tint, value), np.float32)


def contrasting_colour(rng: Rng, base: Colour) -> Colour:
    """Another colour that can be told from the base."""
    for _ in range(8):
        other = colour(rng) * np.float32(rng.uniform(0.3, 1.0))
        if float(np.abs(other - base).sum()) > 0.6:
            return np.asarray(other, np.float32)
    return np.asarray(1.0 - base, np.float32)


def filled_patch(base: Colour, alpha: Grey) -> Patch:
    """A patch of one colour."""
    patch = np.empty((*alpha.shape, 4), np.float32)
    patch[..., :3] = base
    patch[..., 3] = alpha
    return patch


def paint(patch: Patch, base: Colour, where: Grey) -> None:
    """Lay a colour over the patch where the mask is, in place; alpha stays."""
    patch[..., :3] += (base - patch[..., :3]) * where[..., None]


def shade(patch: Patch, factor: Grey) -> None:
    """Multiply the colour, in place."""
    patch[..., :3] *= factor[..., None]


def shine(patch: Patch, amount: Grey) -> None:
    """Add white light, in place; it also covers what would shine through."""
    patch[..., :3] += (1.0 - patch[..., :3]) * amount[..., None]
    patch[..., 3] = np.maximum(patch[..., 3], np.where(patch[..., 3] > 0.05, amount, 0))


def coordinates() -> tuple[Grey, Grey]:
    """X and y of every pixel of a patch, -1 to 1."""
    line = np.linspace(-1, 1, SIDE, dtype=np.float32)
    return np.broadcast_to(line[None, :], (SIDE, SIDE)), np.broadcast_to(line[:, None], (SIDE, SIDE))
