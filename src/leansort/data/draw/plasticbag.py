"""Plastic bags: thin film, gathered in wrinkles; carrier bags, knotted bags and loose film."""

from __future__ import annotations

import cv2
import numpy as np

from leansort.data.draw import prints, shapes
from leansort.data.draw.materials import F32, Rng, blend, chance, f32, fractal, lit, noise, painted, slopes_of, tint
from leansort.data.draw.sprite import Sprite


def draw(rng: Rng, size: int, lamp: F32) -> Sprite:
    """Draw one bag on a canvas with the long side `size`."""
    h, w = size, int(size * rng.uniform(0.6, 1))
    kind = rng.random()
    if kind < 0.38:
        mask, knot = _carrier(rng, h, w)
    elif kind < 0.68:
        mask, knot = _knotted(rng, h, w)
    else:
        mask, knot = _film(rng, h, w)
    return _wrapped(rng, mask, knot, lamp)


def _carrier(rng: Rng, h: int, w: int) -> tuple[F32, tuple[float, float]]:
    """A carrier bag with two handles and a slack, bulging body; the film gathers at the handles."""
    left, right, top = rng.uniform(0.05, 0.2), rng.uniform(0.8, 0.95), rng.uniform(0.3, 0.42)
    gap = rng.uniform(0.12, 0.2)
    centre = (left + right) / 2
    outline = [[left, top], [left + 0.04, 0.03], [left + 0.2, 0.03], [centre - gap, top], [centre + gap, top + 0.03]]
    outline += [[right - 0.2, 0.05], [right - 0.04, 0.04], [right, top], [0.97, 0.75], [0.88, 0.97], [0.12, 0.96]]
    outline += [[0.03, 0.7]]
    body = f32(np.array(outline) * [w, h] + rng.normal(0, 0.02, (12, 2)) * [w, h])
    mask = shapes.filled(h, w, shapes.rough(rng, body, 8, 1.4))
    holes = [
        shapes.oval(h, w, (w * (side + 0.12 * sign), h * 0.17), (0.045 * w, 0.1 * h))
        for side, sign in ((left, 1), (right, -1))
    ]
    smooth = cv2.GaussianBlur(mask * (1 - np.maximum(*holes)), (0, 0), max(1.2, w / 45))
    return f32(np.clip((f32(smooth) - 0.5) * 5 + 0.5, 0, 1)), (w * centre, h * (top - 0.2))


def _knotted(rng: Rng, h: int, w: int) -> tuple[F32, tuple[float, float]]:
    """A full bag, tied: a bulging sack, a knot, and two ears of film above it."""
    neck = h * rng.uniform(0.2, 0.32)
    sack = shapes.blob(rng, h, w, 5, 0.06)
    sack[:, 1] = neck + sack[:, 1] * (h - neck) / h
    mask = shapes.filled(h, w, shapes.rough(rng, sack, 8, 1.2))
    x = w / 2
    for side in (-1, 1):
        reach = side * w * rng.uniform(0.12, 0.38)
        ear = [[x - 0.05 * w, neck + 0.16 * h], [x + reach * 0.6, 2], [x + reach * 1.15, neck * rng.uniform(0.2, 0.7)]]
        ear += [[x + 0.06 * w * side, neck + 0.16 * h]]
        mask = np.maximum(mask, shapes.filled(h, w, shapes.rough(rng, f32(ear), 6, 1.5)))
    return mask, (x, neck + 0.08 * h)


def _film(rng: Rng, h: int, w: int) -> tuple[F32, tuple[float, float]]:
    """A loose, trodden piece of film without a plan."""
    outline = shapes.rough(rng, shapes.blob(rng, h, w, 8, 0.16), 7, 2.0)
    return shapes.filled(h, w, outline), (w * rng.uniform(0.2, 0.8), h * rng.uniform(0.1, 0.9))


def _gathers(rng: Rng, h: int, w: int, knot: tuple[float, float]) -> F32:
    """Return the height of wrinkles that run out from the knot, branch and fade, plus loose creases."""
    columns, rows = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    dx, dy = columns - knot[0], rows - knot[1]
    warp = (noise(rng, h, w, 22) - 0.5) * 0.9
    angle = (np.arctan2(dy, dx) + np.pi) / (2 * np.pi) + warp * 0.12
    radius = np.sqrt(dx**2 + dy**2) / max(h, w)
    source = noise(rng, 64, 512, 512 / rng.uniform(22, 40), 24)
    rays = cv2.remap(source, f32(angle * 511 % 511), f32(radius * 63), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    ridges = (1 - np.abs(2 * f32(rays) - 1)) ** 2.2
    loose = (1 - np.abs(2 * fractal(rng, h, w, 24, 3) - 1)) ** 6
    reach = np.clip(1.15 - radius * rng.uniform(0.6, 1.3), 0.15, 1)
    return f32(5.5 * ridges * reach + rng.uniform(4.0, 8.0) * loose + 5 * noise(rng, h, w, 30))


def _wrapped(rng: Rng, mask: F32, knot: tuple[float, float], lamp: F32) -> Sprite:
    """Give a bag its film: thin and hazy, denser where it folds over itself, with thin broken glints."""
    h, w = mask.shape
    height = _gathers(rng, h, w, knot)
    slope_x, slope_y = slopes_of(height)
    matte, shine = lit(f32(slope_x * 1.2), f32(slope_y * 1.2), lamp, rng.uniform(14, 30))
    own = tint(rng)
    thin = rng.uniform(0.2, 0.95)
    layers = noise(rng, h, w, 26) * 0.3 + 0.5 * np.clip(np.hypot(slope_x, slope_y), 0, 1)
    hem = np.clip(1 - cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 3) / 3, 0, 1)
    opacity = np.clip(thin + layers * (1 - thin) * 1.4 - 0.1 + 0.25 * hem, 0.1, 0.97)
    colour = painted(h, w, own)
    if chance(rng, 0.4):  # the print folds with the film
        print_ = prints.logo(rng, colour)
        columns, rows = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
        colour = f32(cv2.remap(print_, f32(columns + slope_x * 9), f32(rows + slope_y * 9), cv2.INTER_LINEAR))
    colour = blend(f32(colour * (0.2 + 0.8 * np.clip(matte, 0, 1.5))[..., None]), f32([1, 1, 1]), f32(0.12 * hem))
    gloss = f32(rng.uniform(0.35, 0.9) * shine * np.clip(np.hypot(slope_x, slope_y) * 2.5, 0, 1))
    through = f32(1 - rng.uniform(0.1, 0.5) * (1 - own))
    return Sprite(colour, mask, f32(opacity), gloss, through, bend=2, haze=rng.uniform(0.8, 2.5), lift=max(h, w) * 0.1)
