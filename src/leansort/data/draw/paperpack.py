"""Paper packs: gable-top milk cartons, juice bricks with a straw, folding boxes and paper cups."""

from __future__ import annotations

import numpy as np

from leansort.data.draw import boxes, prints, shapes
from leansort.data.draw.materials import F32, Rng, blend, chance, f32, noise, painted, tint
from leansort.data.draw.sprite import Sprite, solid


def draw(rng: Rng, size: int, lamp: F32) -> Sprite:
    """Draw one paper pack on a canvas with the long side `size`."""
    kind = rng.random()
    if kind < 0.45:
        return _carton(rng, size, lamp, gable=True)
    return _carton(rng, size, lamp, gable=False) if kind < 0.7 else _cup(rng, size, lamp)


def _panels(rng: Rng, size: int) -> tuple[F32, F32, F32]:
    """Return a front and a side panel of one design, and its plain colour."""
    base = tint(rng)
    front = prints.panel(rng, size, max(12, int(size * 0.55)), base, 0.75)
    side = prints.small_print(rng, prints.stripes(rng, painted(size, max(12, int(size * 0.45)), base)))
    return _worn(rng, front), _worn(rng, side), base


def _worn(rng: Rng, panel: F32) -> F32:
    """Crease the edges of a panel: pale where the print rubbed off the folds, with a soft stain."""
    h, w = panel.shape[:2]
    x, y = shapes.grid(h, w)
    edge = np.clip((np.maximum(np.abs(x), np.abs(y)) - 0.93) * 14, 0, 1)
    panel = blend(panel, f32([0.92, 0.91, 0.88]), f32(0.5 * edge))
    return f32(panel * (0.88 + 0.2 * noise(rng, h, w, max(4, w / 3)))[..., None])


def _carton(rng: Rng, size: int, lamp: F32, gable: bool) -> Sprite:
    """A box in space with a printed panel on each side; a gable top adds the roof, its fin and a cap."""
    front, side, base = _panels(rng, size)
    width, depth = rng.uniform(0.5, 0.85), rng.uniform(0.4, 0.75)
    height = rng.uniform(0.8, 1.5)
    quads = boxes.quads(width, height, depth)
    sides = [boxes.Side(quads[name], front) for name in ("front", "back")]
    sides += [boxes.Side(quads[name], side) for name in ("left", "right")]
    flap = _flap(rng, base)
    sides += [boxes.Side(quads[name], flap) for name in (("bottom",) if gable else ("top", "bottom"))]
    if gable:
        sides += _roof(rng, width, height, depth, base)
    rotation = boxes.turn(rng, (0.35, 1.1), (0.15, 0.65))
    colour, mask = boxes.paint(sides, rotation, size, lamp)
    if not gable and chance(rng, 0.6):
        colour, mask = _straw(rng, colour, mask)
    return solid(colour, mask, lift=size * 0.16)


def _flap(rng: Rng, base: F32) -> F32:
    """Return the folded end of a brick, with its seam and the foil spot for the straw."""
    flap = painted(40, 40, f32(base * 0.95))
    flap = blend(flap, f32(base * 0.45), shapes.stroke(40, 40, f32([[0, 20], [40, 20]]), 2) * np.float32(0.8))
    return blend(flap, f32([0.85, 0.85, 0.87]), shapes.oval(40, 40, (30, 10), (4, 4)))


def _roof(rng: Rng, width: float, height: float, depth: float, base: F32) -> list[boxes.Side]:
    """Return the two slopes, the two gables and the sealed fin on top."""
    x, y, z = width / 2, -height / 2, depth / 2
    ridge = y - depth * rng.uniform(0.4, 0.6)
    fin = ridge - rng.uniform(0.1, 0.18)
    slope = prints.panel(rng, 50, 60, f32(base * 0.98), 0.35)
    if chance(rng, 0.5):
        slope = blend(slope, tint(rng), shapes.oval(50, 60, (30, 27), (11, 11)))
        slope = blend(slope, f32(np.zeros(3)), shapes.oval(50, 60, (30, 27), (7, 7)) * np.float32(0.2))
    gable, sheet = painted(30, 30, f32(base * 0.72)), painted(14, 60, f32(base * 0.94))
    sheet = blend(sheet, f32(base * 0.5), shapes.stroke(14, 60, f32([[0, 11], [60, 11]]), 2))
    return [
        boxes.Side(f32([[-x, ridge, 0], [x, ridge, 0], [x, y, z], [-x, y, z]]), slope),
        boxes.Side(f32([[x, ridge, 0], [-x, ridge, 0], [-x, y, -z], [x, y, -z]]), slope),
        boxes.Side(f32([[x, ridge, 0], [x, y, -z], [x, y, z]]), gable),
        boxes.Side(f32([[-x, ridge, 0], [-x, y, z], [-x, y, -z]]), gable),
        boxes.Side(f32([[-x, fin, 0.01], [x, fin, 0.01], [x, ridge, 0.01], [-x, ridge, 0.01]]), sheet, both=True),
    ]


def _straw(rng: Rng, colour: F32, mask: F32) -> tuple[F32, F32]:
    """Put a bent straw into the top of a brick; the canvas grows upwards for it."""
    extra = int(mask.shape[0] * 0.25)
    colour, mask = np.pad(colour, ((extra, 0), (0, 0), (0, 0))), np.pad(mask, ((extra, 0), (0, 0)))
    h, w = mask.shape
    foot = np.array([w * rng.uniform(0.4, 0.6), extra + 0.12 * (h - extra)])
    knee = foot + [rng.uniform(-4, 4), -extra * 0.8]
    tip = knee + [rng.choice([-1, 1]) * w * 0.2, -extra * 0.15]
    tube = shapes.stroke(h, w, f32([foot, knee, tip]), max(2, w // 22))
    return blend(colour, tint(rng), tube), np.maximum(mask, tube)


def _cup(rng: Rng, size: int, lamp: F32) -> Sprite:
    """A paper cup: a matte printed cone with a rolled rim, open at the top or closed by a lid."""
    h, w = size, int(size * rng.uniform(0.65, 0.9))
    tilt, base = rng.uniform(0.1, 0.26), tint(rng)
    profile = [(-1 + tilt, 0.93), (0.82, rng.uniform(0.58, 0.72)), (0.93, 0.5)]
    mask, across = shapes.lathe(h, w, profile)
    front = prints.panel(rng, h, w, base, 0.75)
    if chance(rng, 0.4):
        sleeve = shapes.filled(h, w, f32([[0, h * 0.35], [w, h * 0.35], [w, h * 0.7], [0, h * 0.7]]))
        front = blend(front, tint(rng), sleeve)
    limb = np.sqrt(np.clip(1 - across**2, 0, 1))
    shade = 0.45 + 0.5 * limb + 0.4 * across * lamp[0]
    colour = f32(front * shade[..., None])
    centre, radii = (w / 2, tilt * h / 2), (0.465 * w, tilt * h / 2 * 0.94)
    rim, hole = shapes.oval(h, w, centre, radii), shapes.oval(h, w, centre, (radii[0] * 0.9, radii[1] * 0.82))
    colour = blend(colour, f32([0.93, 0.92, 0.9]), rim)
    inside = f32(np.clip(0.55 - 0.35 * across * lamp[0], 0.15, 0.9)[..., None] * f32([1, 0.97, 0.92]))
    colour = f32(colour + (inside - colour) * hole[..., None])
    return solid(colour, np.maximum(mask, rim), lift=w * 0.2)
