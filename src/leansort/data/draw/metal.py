"""Metal: cans with rim and tab, crushed cans, tins, foil and lids. Hard bright and dark streaks tell it."""

from __future__ import annotations

import cv2
import numpy as np

from leansort.data.draw import prints, shapes
from leansort.data.draw.materials import (
    F32, Rng, blend, chance, f32, facets, lit, mirrored, noise, painted, reflections, slopes_of, tint,
)  # fmt: skip
from leansort.data.draw.sprite import Sprite, solid

_STEEL = f32([0.80, 0.81, 0.83])


def draw(rng: Rng, size: int, lamp: F32) -> Sprite:
    """Draw one piece of metal on a canvas with the long side `size`."""
    kind = rng.random()
    if kind < 0.32:
        return _can(rng, size, lamp, crushed=False)
    if kind < 0.6:
        return _can(rng, size, lamp, crushed=True)
    return _foil(rng, size, lamp) if kind < 0.8 else _lid(rng, size, lamp)


def _steel(rng: Rng) -> F32:
    """Return bare metal, at times tinted as gold or copper coloured foil is."""
    return _STEEL if chance(rng, 0.6) else f32(0.45 * _STEEL + 0.55 * tint(rng))


def _can(rng: Rng, size: int, lamp: F32, crushed: bool) -> Sprite:
    """A round body seen from the side, its lid above, crumpled where it was stepped on."""
    h, w = size, int(size * rng.uniform(0.55, 0.8))
    tilt, radius = rng.uniform(0.08, 0.26), 0.9
    dents = f32((noise(rng, h, 1, 1, rng.uniform(0.12, 0.3) * h)[:, 0] - 0.5) * (0.5 if crushed else 0.04))
    profile = [(-0.99 + tilt, radius * 0.84), (-0.84 + tilt, radius), (0.78, radius), (0.9, radius * 0.85)]
    mask, across = shapes.lathe(h, w, profile, bend=dents)
    across = f32(across + (dents[:, None] * 1.5 if crushed else 0))
    streaks = mirrored(reflections(rng, rng.uniform(0.9, 1.3)), across)
    print_share = np.float32(0 if chance(rng, 0.3) else rng.uniform(0.6, 0.95))
    body = painted(h, w, _steel(rng))
    body = body + (prints.panel(rng, h, w, tint(rng), 0.5) - body) * print_share
    ribs = _ribs(rng, h) if chance(rng, 0.35) else np.zeros(h, np.float32)
    slope_x, slope_y = facets(rng, h, w, 14, 0.55 if crushed else 0.03)
    matte, shine = lit(slope_x, f32(slope_y + ribs[:, None]), lamp, 24)
    edge = np.sqrt(np.clip(1 - across**2, 0.06, 1))
    colour = f32(body * (streaks * matte * (0.35 + 0.65 * edge))[..., None])
    gloss = f32(np.clip(streaks - 1.0, 0, 1) * 0.9 + (0.6 * shine if crushed else 0))
    for y in (-0.88 + tilt, 0.82):
        _rim(colour, streaks, y)
    lid, lid_mask = _top(rng, h, w, tilt, float(dents[int(tilt * h / 2)]), radius * 0.86)
    colour = f32(colour * (1 - lid_mask[..., None]) + lid * lid_mask[..., None])
    return solid(colour, np.maximum(mask, lid_mask), gloss * (1 - lid_mask), lift=w * 0.2)


def _ribs(rng: Rng, h: int) -> F32:
    """Return the slopes of the rings pressed into a food tin."""
    return f32(np.sin(np.arange(h) / h * 2 * np.pi * rng.uniform(8, 13)) * rng.uniform(0.4, 0.8))


def _rim(colour: F32, streaks: F32, y: float) -> None:
    """Paint a ring of bare metal round the body, in place."""
    row = int((y + 1) / 2 * colour.shape[0])
    band = slice(max(0, row - 1), row + 2)
    colour[band] = np.clip(streaks[band, :, None] * 1.15, 0.15, 1) * _STEEL


def _top(rng: Rng, h: int, w: int, tilt: float, shift: float, radius: float) -> tuple[F32, F32]:
    """Return the lid seen at a slant, with its groove and tab, and its mask."""
    centre = (w / 2 * (1 + shift), tilt * h / 2)
    radii = (radius * w / 2, tilt * h / 2 * 0.95)
    x, y = np.meshgrid(np.arange(w) - centre[0], np.arange(h) - centre[1])
    sweep = np.cos(2 * np.arctan2(y / radii[1], x / radii[0]) + rng.uniform(0, 6)) * 0.22 + 0.72
    lid = f32(sweep[..., None] * _STEEL)
    groove = shapes.oval(h, w, centre, (radii[0] * 0.85, radii[1] * 0.85))
    lid *= 1 - 0.35 * (groove * (1 - cv2.blur(groove, (3, 3))) * 3).clip(0, 1)[..., None]
    tab = shapes.oval(h, w, (centre[0] + radii[0] * 0.2, centre[1]), (radii[0] * 0.35, radii[1] * 0.3))
    lid = blend(lid, f32([0.95, 0.95, 0.95]), tab * 0.7)
    hole = shapes.oval(h, w, (centre[0] - radii[0] * 0.4, centre[1]), (radii[0] * 0.25, radii[1] * 0.35))
    return blend(lid, f32([0.05, 0.05, 0.06]), hole * float(chance(rng, 0.7))), shapes.oval(h, w, centre, radii)


def _foil(rng: Rng, size: int, lamp: F32) -> Sprite:
    """A ball or sheet of foil: many small facets, each mirroring something else."""
    h, w = size, int(size * rng.uniform(0.6, 1))
    outline = shapes.rough(rng, shapes.blob(rng, h, w, 5, 0.12, 26), 5, 1.3)
    coarse, fine = facets(rng, h, w, 26, 0.45), facets(rng, h, w, int(rng.uniform(120, 320)), 0.4)
    slope_x, slope_y = f32(coarse[0] + fine[0]), f32(coarse[1] + fine[1])
    matte, shine = lit(slope_x, slope_y, lamp, 30)
    facing = slope_x * rng.normal() * 0.5 + slope_y * rng.normal() * 0.5
    level = mirrored(reflections(rng, 1.25), f32(facing)) * (0.6 + 0.4 * matte)
    return solid(f32(level[..., None] * _steel(rng)), shapes.filled(h, w, outline), f32(0.75 * shine), lift=size * 0.1)


def _lid(rng: Rng, size: int, lamp: F32) -> Sprite:
    """A tin lid or jar cap: pressed rings, and the fan of light that brushed metal shows."""
    h, w = size, int(size * rng.uniform(0.55, 1))
    x, y = shapes.grid(h, w)
    radius, angle = np.sqrt(x**2 + y**2), np.arctan2(y, x)
    rings = f32(np.cos(np.clip(radius, 0, 0.95) * rng.uniform(20, 34)) * rng.uniform(0.8, 1.8) * (radius > 0.3))
    slope_x, slope_y = slopes_of(rings)
    matte, shine = lit(slope_x * 2, slope_y * 2, lamp, 20)
    fan = mirrored(reflections(rng, 0.9), f32(np.cos(angle * 2 + rng.uniform(0, 6))))
    base = painted(h, w, _steel(rng))
    if chance(rng, 0.45):
        base = blend(base, tint(rng), f32(radius < 0.78) * 0.85)
        base = prints.logo(rng, base)
    outline = shapes.oval(h, w, (w / 2, h / 2), (w * 0.48, h * 0.48))
    rim = np.clip((radius - 0.84) * 12, 0, 1) * 0.35
    colour = base * (fan * matte * (1 - rim * (y * lamp[1] + x * lamp[0] < 0)))[..., None]
    return solid(f32(colour), outline, f32(0.3 * shine * (radius > 0.3) + np.clip(fan - 1, 0, 1)), lift=3)
