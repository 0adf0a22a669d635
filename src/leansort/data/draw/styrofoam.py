"""Styrofoam: blocks, corner pieces, trays and broken chunks. Thick, matte, made of beads."""

from __future__ import annotations

import cv2
import numpy as np

from leansort.data.draw import boxes, shapes
from leansort.data.draw.materials import F32, Rng, blend, cells, chance, f32, fractal, lit, painted, slopes_of, tint
from leansort.data.draw.sprite import Sprite, solid


def draw(rng: Rng, size: int, lamp: F32) -> Sprite:
    """Draw one piece of foam on a canvas with the long side `size`."""
    kind = rng.random()
    if kind < 0.38:
        return _block(rng, size, lamp)
    return _tray(rng, size, lamp) if kind < 0.7 else _chunk(rng, size, lamp)


def _colour(rng: Rng) -> F32:
    """Return the foam's colour: mostly pale, but dyed or dirty foam is there as well."""
    return f32(0.55 + 0.45 * tint(rng)) if chance(rng, 0.55) else tint(rng)


def beads(rng: Rng, h: int, w: int, bead: float) -> tuple[F32, F32]:
    """Return brightness (h, w) and height of packed beads about `bead` pixels wide."""
    distance, labels = cells(rng, h, w, max(6, int(h * w / bead**2)))
    each = f32(rng.uniform(0.86, 1.06, int(labels.max()) + 1))[labels]
    height = f32(np.sqrt(np.clip(1 - (distance / (0.72 * bead)) ** 2, 0, 1)) * bead * 0.55)
    return f32(each * (0.62 + 0.38 * np.clip(height / (bead * 0.4), 0, 1))), height


def _bead_panel(rng: Rng, h: int, w: int, base: F32, bead: float, lamp: F32) -> F32:
    """Return a flat piece of foam surface (h, w, 3)."""
    bright, height = beads(rng, h, w, bead)
    matte, _ = lit(*slopes_of(height), lamp, 1)
    dirt = 0.9 + 0.14 * fractal(rng, h, w, 30, 2)
    return f32(painted(h, w, base) * (bright * (0.4 + 0.6 * matte) * dirt)[..., None])


def _block(rng: Rng, size: int, lamp: F32) -> Sprite:
    """A slab or corner piece in space, a step moulded into it, an edge crumbled off."""
    base, bead = _colour(rng), rng.uniform(4.0, 6.5)
    width, height, depth = rng.uniform(0.8, 1.4), rng.uniform(0.25, 0.6), rng.uniform(0.6, 1.0)
    sheet = _bead_panel(rng, size, size, base, bead, lamp)
    sides = [boxes.Side(quad, sheet) for quad in boxes.quads(width, height, depth).values()]
    if chance(rng, 0.55):  # a moulded step: a smaller block that stands on the first
        share, tall = rng.uniform(0.3, 0.6), rng.uniform(0.2, 0.5)
        offset = f32([(rng.choice([-1, 1]) * (1 - share) / 2) * width, -(height + tall) / 2, 0])
        sides += [boxes.Side(quad + offset, sheet) for quad in boxes.quads(width * share, tall, depth).values()]
    colour, mask = boxes.paint(sides, boxes.turn(rng, (0.2, 1.2), (0.5, 1.05)), size, lamp, 0.75)
    return solid(colour, _crumbled(rng, mask, bead), lift=size * 0.14)


def _crumbled(rng: Rng, mask: F32, bead: float) -> F32:
    """Break pieces off the outline: whole beads are missing, so the bite is scalloped."""
    h, w = mask.shape
    distance, labels = cells(rng, h, w, max(6, int(h * w / bead**2)))
    edge = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    bite = np.clip(fractal(rng, h, w, max(h, w) / 3, 2) - 0.52, 0, 1) * max(h, w) * 0.9 + bead * 0.35
    beads_lost = np.zeros(int(labels.max()) + 1, bool)
    beads_lost[labels[edge < bite]] = True
    return f32(mask * (1 - cv2.blur(f32(beads_lost[labels] & (edge < bite + bead)), (2, 2))))


def _tray(rng: Rng, size: int, lamp: F32) -> Sprite:
    """A food tray: a broad rounded rim, a sunken floor with ribs, and fine beads."""
    h, w = size, int(size * rng.uniform(0.55, 0.95))
    base, bead = _colour(rng), rng.uniform(3.2, 4.5)
    mask = shapes.filled(h, w, shapes.rounded(h, w, 0.04, rng.uniform(0.12, 0.25)))
    if chance(rng, 0.5):
        mask = _torn_off(rng, mask, bead)
    inner = shapes.filled(h, w, shapes.rounded(h, w, 0.04, 0.18))
    inside = f32(cv2.distanceTransform((inner > 0.5).astype(np.uint8), cv2.DIST_L2, 5))
    rim, wall = 0.07 * w, rng.uniform(0.07, 0.13) * w
    floor = np.clip((inside - rim) / wall, 0, 1)
    height = rim * 0.6 * np.sqrt(np.clip(inside / rim, 0, 1)) - floor * floor * (3 - 2 * floor) * wall * 1.1
    x, y = shapes.grid(h, w)
    height += (floor >= 1) * np.cos((x if chance(rng, 0.5) else y) * rng.uniform(14, 24)) * rng.uniform(0, 1.2)
    matte, shine = lit(*slopes_of(f32(cv2.GaussianBlur(height, (0, 0), 1.0))), lamp, 8)
    colour = _bead_panel(rng, h, w, base, bead, lamp) * matte[..., None]
    return solid(f32(colour), mask, f32(0.06 * shine), lift=size * 0.08)


def _torn_off(rng: Rng, mask: F32, bead: float) -> F32:
    """Break a corner or an end off along a jagged line."""
    h, w = mask.shape
    x, y = shapes.grid(h, w)
    angle = rng.uniform(0, 2 * np.pi)
    side = np.cos(angle) * x + np.sin(angle) * y + (fractal(rng, h, w, 9, 2) - 0.5) * 0.35
    return f32(mask * np.clip((rng.uniform(0.4, 0.85) - side) * h / 4, 0, 1))


def _chunk(rng: Rng, size: int, lamp: F32) -> Sprite:
    """A broken lump: coarse beads, a scalloped outline, and a thick side towards the camera."""
    h, w = size, int(size * rng.uniform(0.55, 1))
    base, bead = _colour(rng), rng.uniform(5.0, 8.0)
    outline = shapes.rough(rng, shapes.blob(rng, h, w, 4, 0.09, 12), 14, 2.5)
    body = shapes.filled(h, w, outline)
    top = shapes.filled(h, w, f32(outline * [0.96, 0.78] + [0.02 * w, 0.03 * h]))
    sheet = _bead_panel(rng, h, w, base, bead, lamp)
    colour = blend(sheet * np.float32(0.6), f32(np.zeros(3)), body * np.float32(0.08))
    colour = f32(colour + (sheet - colour) * top[..., None])
    return solid(colour, _crumbled(rng, body, bead), lift=size * 0.1)
