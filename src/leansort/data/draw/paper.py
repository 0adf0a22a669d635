"""Paper: sheets, newspapers, receipts, cardboard and crumpled balls. Matte, with folds and fine print."""

from __future__ import annotations

import cv2
import numpy as np

from leansort.data.draw import prints, shapes
from leansort.data.draw.materials import F32, Rng, blend, chance, f32, facets, fractal, lit, noise, painted, tint
from leansort.data.draw.sprite import Sprite, solid


def draw(rng: Rng, size: int, lamp: F32) -> Sprite:
    """Draw one piece of paper on a canvas with the long side `size`."""
    kind = rng.random()
    if kind < 0.5:
        return _sheet(rng, size, lamp)
    return _crumpled(rng, size, lamp) if kind < 0.85 else _cardboard(rng, size, lamp)


def _page(rng: Rng, h: int, w: int) -> F32:
    """Return the printed side: a newspaper, a letter or ruled page, or a leaflet."""
    base = f32(0.3 + 0.7 * tint(rng)) if chance(rng, 0.7) else tint(rng)
    kind = rng.random()
    if kind < 0.12:
        return painted(h, w, base)
    page, ink = painted(h, w, base), f32(tint(rng) * 0.35)
    if kind < 0.55:
        lines = prints.columns_of_text(rng, h, w, int(rng.integers(3, 6)), int(rng.integers(1, 4)))
        page = blend(page, ink, lines * np.float32(0.75))
        page = prints.photo(rng, page) if chance(rng, 0.5) else page
        return prints.logo(rng, page) if chance(rng, 0.3) else page
    if kind < 0.72:
        lines = np.zeros((h, w), np.float32)
        lines[:: int(rng.integers(5, 9))] = 0.5
        return blend(page, ink, lines)
    return prints.panel(rng, h, w, base, 0.55)


def _folds(rng: Rng, h: int, w: int) -> tuple[F32, F32]:
    """Return the slopes of a sheet that was folded a few times: each fold tips one side of it."""
    x, y = shapes.grid(h, w)
    slope_x, slope_y = np.zeros((h, w), np.float32), np.zeros((h, w), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        angle = float(rng.choice([0, np.pi / 2])) + rng.normal(0, 0.12)
        side = np.cos(angle) * x + np.sin(angle) * y - rng.uniform(-0.6, 0.6)
        tip = np.tanh(side * 25) * rng.uniform(0.12, 0.4) + 0.5 * np.exp(-((side * 30) ** 2))
        slope_x += np.float32(np.cos(angle)) * f32(tip)
        slope_y += np.float32(np.sin(angle)) * f32(tip)
    return slope_x, slope_y


def _sheet(rng: Rng, size: int, lamp: F32) -> Sprite:
    """A flat sheet with folds, curl and now and then a torn edge or a dog-ear."""
    h, w = size, int(size * rng.uniform(0.35, 0.95))
    outline = shapes.corners(rng, h, w, 0.06)
    torn = chance(rng, 0.4)
    outline = shapes.rough(rng, outline, 4, 1.6 if torn else 0.25)
    slope_x, slope_y = _folds(rng, h, w)
    curl = fractal(rng, h, w, size * 0.5, 2) * rng.uniform(4, 16)
    slope_x = f32(slope_x + cv2.Sobel(curl, cv2.CV_32F, 1, 0, scale=0.125))
    slope_y = f32(slope_y + cv2.Sobel(curl, cv2.CV_32F, 0, 1, scale=0.125))
    matte, _ = lit(slope_x, slope_y, lamp, 1)
    mask = shapes.filled(h, w, outline)
    page = _page(rng, h, w) * matte[..., None]
    if torn:  # the fibres of a torn edge are white, whatever is printed
        page = blend(f32(page), f32([0.93, 0.92, 0.9]), f32(np.clip(1.5 - 1.8 * cv2.blur(mask, (5, 5)), 0, 1)))
    return solid(f32(page), mask, lift=rng.uniform(1.5, 4))


def _crumpled(rng: Rng, size: int, lamp: F32) -> Sprite:
    """A crumpled sheet or ball: matte facets with soft shadows in the creases, print broken along them."""
    h, w = size, int(size * rng.uniform(0.65, 1))
    ball = chance(rng, 0.6)
    outline = shapes.blob(rng, h, w, 5, 0.1, 22) if ball else shapes.corners(rng, h, w, 0.14)
    outline = shapes.rough(rng, outline, 9, 2.2)
    coarse = facets(rng, h, w, int(rng.integers(12, 26)), 0.42)
    fine = facets(rng, h, w, int(rng.integers(50, 110)), 0.26)
    x, y = shapes.grid(h, w)
    round_ = 0.7 if ball else 0.0
    matte, _ = lit(f32(coarse[0] + fine[0] + round_ * x), f32(coarse[1] + fine[1] + round_ * y), lamp, 1)
    page = _page(rng, h, w)
    shift_x, shift_y = f32(coarse[0] * 14), f32(coarse[1] * 14)
    columns, rows = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    page = f32(cv2.remap(page, columns + shift_x, rows + shift_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))
    shade = 0.25 + 0.75 * np.clip(matte, 0, 1.35)
    return solid(f32(page * shade[..., None]), shapes.filled(h, w, outline), lift=size * (0.12 if ball else 0.04))


def _cardboard(rng: Rng, size: int, lamp: F32) -> Sprite:
    """A torn piece of cardboard: flutes along one way, and the corrugated layer bare where the face tore off."""
    h, w = size, int(size * rng.uniform(0.5, 1))
    outline = shapes.rough(rng, shapes.corners(rng, h, w, 0.12), 6, 1.8)
    flutes = np.sin(np.arange(w) * 2 * np.pi / rng.uniform(4, 6))[None]
    bare = np.clip((noise(rng, h, w, size * 0.35) - 0.55) * 14, 0, 1)
    slope_x, slope_y = _folds(rng, h, w)
    matte, _ = lit(f32(slope_x + flutes * (0.05 + 0.75 * bare)), slope_y, lamp, 1)
    base = tint(rng)
    face = prints.panel(rng, h, w, base, 0.3)
    face = blend(face, f32(base * 0.8 + 0.05), f32(bare))
    grain = 0.94 + 0.12 * noise(rng, h, w, 1.5, 5)
    return solid(f32(face * (matte * grain)[..., None]), shapes.filled(h, w, outline), lift=3)
