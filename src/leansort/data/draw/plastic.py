"""Plastic: bottles, cups, tubs and clamshells. Smooth, glossy, mostly clear, the ground seen through it."""

from __future__ import annotations

import cv2
import numpy as np

from leansort.data.draw import prints, shapes
from leansort.data.draw.materials import F32, Rng, blend, chance, f32, lit, painted, slopes_of, tint
from leansort.data.draw.sprite import Sprite


def draw(rng: Rng, size: int, lamp: F32) -> Sprite:
    """Draw one piece of plastic on a canvas with the long side `size`."""
    kind = rng.random()
    if kind < 0.52:
        return _bottle(rng, size, lamp)
    return _cup(rng, size, lamp) if kind < 0.76 else _tub(rng, size, lamp)


def _walls(across: F32, clear: float) -> F32:
    """Return the opacity of a round wall: clear in the middle, dense where it is seen edge-on."""
    return f32(np.clip(clear + (1 - clear) * (1 - np.sqrt(np.clip(1 - across**2, 0, 1))) ** 1.3, 0, 1))


def _streaks(rng: Rng, across: F32, lamp: F32, waves: F32) -> F32:
    """Return the lamp and a window mirrored in a smooth round wall: long clean lines that follow its waves."""
    side = np.sign(lamp[0]) * rng.uniform(0.35, 0.65)
    narrow, broad = rng.uniform(0.05, 0.1), rng.uniform(0.1, 0.2)
    place = across + waves[:, None]
    lines = 0.9 * np.exp(-(((place - side) / narrow) ** 2)) + 0.4 * np.exp(-(((place + side * 0.9) / broad) ** 2))
    return f32(lines * rng.uniform(0.7, 1.0))


def _bottle_profile(rng: Rng) -> tuple[list[tuple[float, float]], float]:
    """Return the profile of a bottle and the height at which its cap ends."""
    neck, shoulder = rng.uniform(-0.8, -0.68), rng.uniform(-0.5, -0.2)
    throat, waist = rng.uniform(0.26, 0.42), rng.uniform(0.72, 0.95)
    middle = (shoulder + neck) / 2
    cap = neck - 0.02
    profile = [(-0.98, throat * 1.12), (cap, throat * 1.12), (cap + 0.01, throat), (neck + 0.05, throat)]
    profile += [(middle, 0.35 + 0.6 * throat), (shoulder, 0.92), (0.15, waist), (0.35, 0.92), (0.9, 0.92), (0.98, 0.78)]
    return profile, cap


def _bottle(rng: Rng, size: int, lamp: F32) -> Sprite:
    """A bottle with shoulder, neck and cap; clear or milky, with ribs and perhaps a label."""
    h, w = size, int(size * rng.uniform(0.32, 0.52))
    profile, cap_end = _bottle_profile(rng)
    bend = f32(np.sin(np.linspace(0, rng.uniform(1, 3), h) + rng.uniform(0, 3)) * rng.uniform(0, 0.1))
    mask, across = shapes.lathe(h, w, [(y, r * 0.9) for y, r in profile], bend)
    y = np.linspace(-1, 1, h, dtype=np.float32)
    waves = f32(np.sin(y * rng.uniform(20, 40)) * rng.uniform(0.02, 0.12) * (y > -0.1))
    milky = chance(rng, 0.3)
    own = tint(rng)
    opacity = np.maximum(_walls(across, 0.92 if milky else rng.uniform(0.05, 0.22)), np.abs(waves)[:, None] * 1.6)
    limb = np.sqrt(np.clip(1 - across**2, 0.08, 1))
    colour = painted(h, w, own) * (0.4 + 0.5 * limb + 0.25 * across * lamp[0])[..., None]
    gloss = _streaks(rng, across, lamp, waves)
    band = _band(y, rng.uniform(-0.15, 0.05), rng.uniform(0.3, 0.6)) if chance(rng, 0.55) else np.zeros(h, np.float32)
    label = prints.panel(rng, h, w, tint(rng), 0.6) * (0.35 + 0.65 * limb)[..., None]
    colour = colour + (label - colour) * band[:, None, None]
    opacity, gloss = np.maximum(opacity, band[:, None]), gloss * (1 - 0.5 * band[:, None])
    if chance(rng, 0.85):
        cap = f32(y < cap_end)[:, None]
        ridges = 0.8 + 0.2 * np.sin(np.arcsin(across) * 14)
        lid = tint(rng) * (ridges * (0.3 + 0.7 * limb))[..., None]
        colour, opacity = colour + (lid - colour) * cap[..., None], np.maximum(opacity, cap)
    return _clear(rng, f32(colour), mask, f32(opacity), f32(gloss), own, w * 0.18)


def _band(y: F32, top: float, bottom: float) -> F32:
    """Return 1 between two heights, with soft ends."""
    return f32(np.clip((y - top) * 40, 0, 1) * np.clip((bottom - y) * 40, 0, 1))


def _clear(rng: Rng, colour: F32, mask: F32, opacity: F32, gloss: F32, own: F32, lift: float) -> Sprite:
    """Make a see-through sprite whose wall tints what lies behind it."""
    through = f32(1 - rng.uniform(0.05, 0.55) * (1 - own))
    return Sprite(colour, mask, opacity, gloss, through, bend=rng.uniform(2, 6), haze=rng.uniform(0, 1.0), lift=lift)


def _cup(rng: Rng, size: int, lamp: F32) -> Sprite:
    """A clear cup: a cone with rings, the far rim seen through it, perhaps a dome and a straw."""
    h, w = size, int(size * rng.uniform(0.55, 0.8))
    tilt, own = rng.uniform(0.1, 0.24), tint(rng)
    dome = chance(rng, 0.4)
    top = -0.45 if dome else -1 + tilt
    profile = [(top, 0.92), (0.88, rng.uniform(0.55, 0.72)), (0.95, 0.5)]
    if dome:
        profile = [(-0.97, 0.3), (-0.88, 0.62), (-0.7, 0.82), (-0.5, 0.88)] + profile
    mask, across = shapes.lathe(h, w, profile)
    y = np.linspace(-1, 1, h, dtype=np.float32)
    rings = f32(np.clip(np.sin(y * rng.uniform(16, 30)), 0.8, 1) - 0.8) * 5 * (y > 0.2)
    opacity = np.maximum(_walls(across, rng.uniform(0.06, 0.25)), 0.3 * rings[:, None])
    gloss = _streaks(rng, across, lamp, f32(rings * 0.08))
    colour = painted(h, w, own) * (0.55 + 0.4 * np.sqrt(np.clip(1 - across**2, 0, 1)))[..., None]
    centre = (w / 2, (top + 1) * h / 2)
    angle = np.linspace(0, 2 * np.pi, 40)
    ring = np.stack([centre[0] + 0.45 * w * np.cos(angle), centre[1] + tilt * h * 0.45 * np.sin(angle)], 1)
    rim = shapes.stroke(h, w, f32(ring), max(2, w // 28), closed=True)
    if chance(rng, 0.5):
        colour = prints.logo(rng, f32(colour))
        opacity = np.maximum(opacity, 0.85 * f32(np.abs(colour - own).max(2) > 0.45))
    opacity = np.maximum(opacity, 0.55 * rim)
    inside = 1.0 if dome else 0.0
    mask = np.maximum(mask, shapes.filled(h, w, f32(ring)) * (1 - inside) + rim)
    return _clear(rng, f32(colour), f32(np.clip(mask, 0, 1)), f32(opacity), f32(gloss + 0.5 * rim), own, w * 0.18)


def _tub(rng: Rng, size: int, lamp: F32) -> Sprite:
    """A clear or coloured tub from above: a thin flange, steep walls with sharp highlights, a smooth floor."""
    h, w = size, int(size * rng.uniform(0.6, 1))
    own, milky = tint(rng), chance(rng, 0.35)
    radius = rng.choice([0.1, 0.2, 0.44])
    mask = shapes.filled(h, w, shapes.rounded(h, w, 0.03, radius))
    inside = f32(cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 5))
    flange, wall = 0.06 * w, rng.uniform(0.08, 0.16) * w
    steps = [np.clip((inside - flange * k) / (wall * s), 0, 1) for k, s in ((0.1, 0.25), (1, 0.3), (2.4, 0.6))]
    height = 3.0 * steps[0] - wall * 0.7 * steps[1] - wall * 0.6 * steps[2]
    slope_x, slope_y = slopes_of(f32(cv2.GaussianBlur(height, (0, 0), 0.8)))
    matte, shine = lit(slope_x, slope_y, lamp, 26)
    steep = np.clip(np.hypot(slope_x, slope_y) * 1.1, 0, 1)
    opacity = np.full((h, w), 0.93, np.float32) if milky else f32(np.clip(0.1 + 0.65 * steep, 0, 0.9))
    x, y = shapes.grid(h, w)
    glare = np.exp(-(((x * lamp[0] + y * lamp[1] - 0.2) / 0.12) ** 2)) * (steps[2] >= 1) * rng.uniform(0.2, 0.6)
    colour = painted(h, w, own) * (0.35 + 0.6 * np.clip(matte, 0, 1.4))[..., None]
    gloss = 0.9 * np.clip(shine * steep * 3, 0, 1) + glare
    return _clear(rng, blend(f32(colour), own * 0.6, f32(0.3 * steep)), mask, opacity, f32(gloss), own, size * 0.08)
