"""Outlines: soft masks of polygons, blobs, torn sheets and turned (lathe) bodies."""

from __future__ import annotations

import cv2
import numpy as np

from leansort.data.draw.materials import F32, Rng, f32, noise

_SHIFT = 4  # fractional bits of a pixel for cv2.fillPoly


def grid(h: int, w: int) -> tuple[F32, F32]:
    """Return x and y (h, w), each from -1 to 1 over the canvas."""
    x, y = np.meshgrid(np.linspace(-1, 1, w, dtype=np.float32), np.linspace(-1, 1, h, dtype=np.float32))
    return f32(x), f32(y)


def filled(h: int, w: int, *polygons: F32) -> F32:
    """Return the soft mask (h, w) of polygons (n, 2) in pixels; overlapping ones cut holes."""
    mask = np.zeros((h, w), np.uint8)
    points = [np.round(polygon * (1 << _SHIFT)).astype(np.int32) for polygon in polygons]
    cv2.fillPoly(mask, points, 255, cv2.LINE_AA, _SHIFT)
    return f32(mask) / np.float32(255)


def stroke(h: int, w: int, points: F32, thickness: int, closed: bool = False) -> F32:
    """Return the soft mask of a line through points (n, 2) in pixels."""
    mask = np.zeros((h, w), np.uint8)
    fixed = np.round(points * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(mask, [fixed], closed, 255, thickness, cv2.LINE_AA, _SHIFT)
    return f32(mask) / np.float32(255)


def rough(rng: Rng, polygon: F32, step: float, depth: float) -> F32:
    """Walk round a polygon in steps and push every point aside at random: a torn or broken edge."""
    ends = np.roll(polygon, -1, axis=0)
    pieces = []
    for start, end in zip(polygon, ends, strict=True):
        count = max(2, int(np.linalg.norm(end - start) / step))
        pieces.append(start + (end - start) * np.linspace(0, 1, count, endpoint=False)[:, None])
    points = np.concatenate(pieces)
    return f32(points + rng.normal(0, depth, points.shape))


def blob(rng: Rng, h: int, w: int, bumps: int, depth: float, points: int = 72) -> F32:
    """Return a closed soft outline (points, 2) that fills most of the canvas."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radius = np.full(points, 0.78)
    for wave in range(2, bumps + 2):
        radius += depth / np.sqrt(wave) * rng.normal() * np.sin(wave * angle + rng.uniform(0, 2 * np.pi))
    radius = np.clip(radius, 0.3, 0.97)
    return f32(np.stack([w / 2 * (1 + radius * np.cos(angle)), h / 2 * (1 + radius * np.sin(angle))], 1))


def corners(rng: Rng, h: int, w: int, wobble: float = 0.05, margin: float = 0.06) -> F32:
    """Return four corners near those of the canvas, clockwise from the top left."""
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (1 - 2 * margin) + margin
    unit = unit + rng.uniform(-wobble, wobble, (4, 2))
    return f32(np.clip(unit, 0.01, 0.99) * [w, h])


def rounded(h: int, w: int, margin: float, radius: float) -> F32:
    """Return a rounded rectangle (n, 2) in pixels; margin and radius are shares of the short side."""
    edge, r = margin * min(h, w), radius * min(h, w)
    arc = np.linspace(0, np.pi / 2, 7)
    quarter = np.stack([np.cos(arc), np.sin(arc)], 1) * r
    turns = [((w - edge - r, h - edge - r), (1, 1), 1), ((edge + r, h - edge - r), (-1, 1), -1)]
    turns += [((edge + r, edge + r), (-1, -1), 1), ((w - edge - r, edge + r), (1, -1), -1)]
    return f32(np.concatenate([np.array(centre) + (quarter * sign)[::step] for centre, sign, step in turns]))


def lathe(h: int, w: int, profile: list[tuple[float, float]], bend: F32 | None = None) -> tuple[F32, F32]:
    """Turn a profile [(y, radius), ...] (y and radius in -1..1 and 0..1 of the canvas) about the y axis.

    Returns:
        The soft mask (h, w), and across (h, w): the place on the round body from -1 (left rim) to 1.
    """
    y = np.linspace(-1, 1, h)
    radius = np.interp(y, [p[0] for p in profile], [p[1] for p in profile], left=0, right=0)
    radius = cv2.blur(f32(radius[:, None]), (1, 3))[:, 0]
    centre = np.zeros(h, np.float32) if bend is None else bend
    x = np.linspace(-1, 1, w, dtype=np.float32)[None] - centre[:, None]
    across = x / np.maximum(radius, 1e-3)[:, None]
    mask = np.clip((radius[:, None] - np.abs(x)) * w / 2 + 0.5, 0, 1) * (radius[:, None] > 0)
    return f32(mask), f32(np.clip(across, -1, 1))


def oval(h: int, w: int, centre: tuple[float, float], radii: tuple[float, float]) -> F32:
    """Return the soft mask of an ellipse; centre and radii in pixels."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return filled(h, w, f32(np.stack([centre[0] + radii[0] * np.cos(angle), centre[1] + radii[1] * np.sin(angle)], 1)))


def wobble(rng: Rng, h: int, w: int, cell: float, pixels: float) -> tuple[F32, F32]:
    """Return two fields of displacement, for objects that are bent or squashed."""
    return f32((noise(rng, h, w, cell) - 0.5) * 2 * pixels), f32((noise(rng, h, w, cell) - 0.5) * 2 * pixels)
