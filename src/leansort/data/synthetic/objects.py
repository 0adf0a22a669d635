"""The six classes. Each function draws one object of its class, upright, filling most of a patch."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from leansort.data.synthetic import texture as tx
from leansort.data.synthetic.paint import (
    SIDE,
    Patch,
    colour,
    contrasting_colour,
    coordinates,
    filled_patch,
    paint,
    shade,
    shine,
)
from leansort.data.synthetic.texture import Grey, Rng

MID = SIDE / 2


def metal(rng: Rng) -> Patch:
    """A drinks can, dented, with streaks of light; or a sheet of crumpled foil."""
    return _can(rng) if rng.random() < 0.75 else _foil(rng)


def _can(rng: Rng) -> Patch:
    half, top, bottom = rng.uniform(30, 42), rng.uniform(20, 30), SIDE - rng.uniform(18, 28)
    lid = half * rng.uniform(0.28, 0.42)
    body = tx.polygon(SIDE, SIDE, [[MID - half, top], [MID + half, top], [MID + half, bottom], [MID - half, bottom]])
    foot = tx.ellipse(SIDE, SIDE, (MID, bottom), (half, lid))
    patch = filled_patch(colour(rng), np.maximum(body, foot))
    for _ in range(int(rng.integers(1, 4))):
        edge, high = rng.uniform(top + 10, bottom - 20), rng.uniform(5, 30)
        band = np.zeros((SIDE, SIDE), np.float32)
        band[int(edge) : int(edge + high)] = 1
        paint(patch, contrasting_colour(rng, patch[int(MID), int(MID), :3]), band)
    _cylinder_light(rng, patch, half)
    metal_grey = np.full(3, rng.uniform(0.55, 0.8), np.float32)
    paint(patch, metal_grey, _line_band(bottom - 2, 5))
    rim, inner = (
        tx.ellipse(SIDE, SIDE, (MID, top), (half, lid)),
        tx.ellipse(SIDE, SIDE, (MID, top), (half * 0.86, lid * 0.8)),
    )
    patch[..., 3] = np.maximum(patch[..., 3], rim)
    paint(patch, metal_grey * 1.2, rim)
    paint(patch, metal_grey * np.float32(rng.uniform(0.55, 0.8)), inner)
    paint(patch, metal_grey * 1.3, tx.ellipse(SIDE, SIDE, (MID, top + 2), (half * 0.3, lid * 0.35)))
    paint(patch, metal_grey * 0.3, tx.ellipse(SIDE, SIDE, (MID, top - lid * 0.35), (half * 0.2, lid * 0.22)))
    return _dented(rng, patch, rng.uniform(2, 9))


def _cylinder_light(rng: Rng, patch: Patch, half: float) -> None:
    x = (coordinates()[0] * MID) / half
    shade(patch, np.clip(1.05 - 0.75 * np.abs(x + rng.uniform(-0.2, 0.2)) ** 1.6, 0.15, 1.1).astype(np.float32))
    for _ in range(int(rng.integers(2, 4))):
        at, width = rng.uniform(-0.8, 0.8), rng.uniform(0.03, 0.1)
        streak = np.exp(-(((x - at) / width) ** 2)) * rng.uniform(0.6, 1.0)
        shine(patch, np.asarray(streak, np.float32))


def _line_band(at: float, thickness: int) -> Grey:
    band = np.zeros((SIDE, SIDE), np.float32)
    band[int(at) : int(at) + thickness] = 0.8
    return band


def _foil(rng: Rng) -> Patch:
    angles = np.sort(rng.uniform(0, 2 * np.pi, 14))
    radius = rng.uniform(40, 70, 14)
    outline = np.stack([MID + radius * np.cos(angles), MID + radius * np.sin(angles)], -1)
    patch = filled_patch(colour(rng) * np.float32(0.5) + np.float32(0.35), tx.polygon(SIDE, SIDE, outline))
    cells = tx.facets(rng, SIDE, SIDE, int(rng.integers(90, 220)))
    shade(patch, 0.25 + 0.9 * cells)
    shine(patch, np.clip((cells - 0.82) * 6, 0, 1))
    return patch


def _dented(rng: Rng, patch: Patch, amount: float) -> Patch:
    """Push pixels sideways by smooth noise: dents, crumples, sagging film."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    dx, dy = ((tx.noise(rng, SIDE, SIDE, 3, 2) - 0.5) * np.float32(2 * amount) for _ in range(2))
    return np.asarray(cv2.remap(patch, x + dx, y + dy, cv2.INTER_LINEAR), np.float32)


def paper(rng: Rng) -> Patch:
    """A sheet with lines of text or a headline, folded or crumpled, its edges partly torn."""
    w, h = rng.uniform(42, 68), rng.uniform(50, 72)
    corners = np.array([[MID - w, MID - h], [MID + w, MID - h], [MID + w, MID + h], [MID - w, MID + h]])
    corners += rng.normal(0, 6, (4, 2))
    patch = filled_patch(colour(rng), tx.polygon(SIDE, SIDE, tx.roughen(rng, corners, rng.choice([0.3, 1.5, 2.5]))))
    _print_text(rng, patch, w, h)
    if rng.random() < 0.45:
        shade(patch, 0.72 + 0.36 * tx.blur(tx.facets(rng, SIDE, SIDE, int(rng.integers(25, 70))), 0.8))
    for _ in range(int(rng.integers(1, 3))):
        x, y = coordinates()
        angle, offset = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.08), rng.uniform(-0.3, 0.3)
        side = x * np.cos(angle) + y * np.sin(angle) - offset
        shade(patch, np.where(side > 0, np.float32(1.0), np.float32(rng.uniform(0.75, 0.92))))
        shade(patch, 1 - 0.25 * np.exp(-((side / 0.015) ** 2)).astype(np.float32))
    return patch


def _print_text(rng: Rng, patch: Patch, w: float, h: float) -> None:
    ink = contrasting_colour(rng, patch[int(MID), int(MID), :3]) * np.float32(0.5)
    lines = np.zeros((SIDE, SIDE), np.uint8)
    step, columns = rng.uniform(5, 9), int(rng.integers(1, 4))
    for row in np.arange(MID - h + 10, MID + h - 8, step):
        for column in range(columns):
            left = MID - w + 8 + column * (2 * w - 12) / columns
            right = left + (2 * w - 12) / columns * rng.uniform(0.5, 0.92)
            cv2.line(lines, (int(left), int(row)), (int(right), int(row)), 255, int(rng.integers(1, 3)))
    gaps = tx.noise(rng, SIDE, SIDE, 40, 1) > 0.38
    paint(patch, ink, np.asarray(lines / 255.0 * gaps * 0.85, np.float32))
    if rng.random() < 0.5:
        cv2.rectangle(lines, (int(MID - w + 8), int(MID - h + 8)), (int(MID + w * 0.4), int(MID - h + 26)), 255, -1)
        block = np.zeros((SIDE, SIDE), np.float32)
        block[int(MID - h + 8) : int(MID - h + 28), int(MID - w + 8) : int(MID + w * rng.uniform(0.0, 0.8))] = 0.8
        paint(patch, ink, block)


def paperpack(rng: Rng) -> Patch:
    """A carton with a gable top seen from a corner, or a paper cup: straight folds, faces of even brightness."""
    return _carton(rng) if rng.random() < 0.7 else _cup(rng)


def _carton(rng: Rng) -> Patch:
    left, split, right = MID - rng.uniform(38, 46), MID + rng.uniform(-4, 14), MID + rng.uniform(38, 48)
    top, bottom, slant = rng.uniform(48, 60), SIDE - rng.uniform(10, 18), rng.uniform(6, 14)
    front = [[left, top], [split, top + slant], [split, bottom], [left, bottom - slant]]
    side = [[split, top + slant], [right, top - 2], [right, bottom - slant], [split, bottom]]
    ridge = [left + (split - left) * 0.45, top - rng.uniform(26, 34)], [right - 8, top - rng.uniform(30, 38)]
    roof = [[left, top], ridge[0], ridge[1], [split, top + slant]]
    gable = [[split, top + slant], ridge[1], [right, top - 2]]
    fin = [ridge[0], [ridge[0][0] + 1, ridge[0][1] - 9], [ridge[1][0] + 1, ridge[1][1] - 9], ridge[1]]
    masks = [tx.polygon(SIDE, SIDE, face) for face in (front, side, roof, gable, fin)]
    base = colour(rng)
    patch = filled_patch(base, np.max(masks, axis=0))
    ink = contrasting_colour(rng, base)
    low = rng.uniform(0.3, 0.6)
    panel = np.asarray(coordinates()[1] > 1 - 2 * low, np.float32)
    paint(patch, ink, panel * np.maximum(masks[0], masks[1]))
    logo = ((left + split) / 2, (top + bottom) / 2 + rng.uniform(-12, 12))
    paint(
        patch,
        contrasting_colour(rng, ink),
        tx.ellipse(SIDE, SIDE, logo, (rng.uniform(9, 16), rng.uniform(9, 20))) * masks[0],
    )
    for mask, light in zip(masks, (1.0, rng.uniform(0.5, 0.7), 0.88, 0.45, 1.05), strict=True):
        shade(patch, 1 - mask + mask * np.float32(light))
    return patch


def _cup(rng: Rng) -> Patch:
    wide, narrow, top, bottom = (
        rng.uniform(40, 52),
        rng.uniform(26, 36),
        rng.uniform(28, 40),
        SIDE - rng.uniform(14, 24),
    )
    wall = tx.polygon(
        SIDE, SIDE, [[MID - wide, top], [MID + wide, top], [MID + narrow, bottom], [MID - narrow, bottom]]
    )
    base = colour(rng)
    patch = filled_patch(base, np.maximum(wall, tx.ellipse(SIDE, SIDE, (MID, bottom), (narrow, 7))))
    ink = contrasting_colour(rng, base)
    start, high = rng.uniform(60, 90), rng.uniform(15, 40)
    band = np.zeros((SIDE, SIDE), np.float32)
    band[int(start) : int(start + high)] = 1
    paint(patch, ink, band)
    shade(patch, np.asarray(1.0 - 0.35 * (coordinates()[0] + rng.uniform(-0.2, 0.2)) ** 2 * 3, np.float32).clip(0.4, 1))
    mouth = tx.ellipse(SIDE, SIDE, (MID, top), (wide, wide * 0.26))
    patch[..., 3] = np.maximum(patch[..., 3], mouth)
    paint(patch, base * 0.45, mouth)
    paint(patch, np.minimum(base * 1.2, 1), tx.ellipse(SIDE, SIDE, (MID, top), (wide, wide * 0.26), 4))
    return patch


def plastic(rng: Rng) -> Patch:
    """A bottle: shoulder, neck and cap, ribs and highlights, the ground shining through; some carry a label."""
    half, neck = rng.uniform(24, 36), rng.uniform(8, 12)
    top, shoulder, bottom = rng.uniform(22, 30), rng.uniform(52, 70), SIDE - rng.uniform(6, 14)
    right = [
        [neck, top],
        [neck, top + 10],
        [half * 0.8, shoulder - 6],
        [half, shoulder + 6],
        [half, bottom - 5],
        [half - 6, bottom],
    ]
    outline = [[MID + x, y] for x, y in right] + [[MID - x, y] for x, y in right[::-1]]
    body = tx.polygon(SIDE, SIDE, outline)
    base = colour(rng)
    patch = filled_patch(base, body * np.float32(rng.uniform(0.3, 0.55)))
    x, y = coordinates()
    rim = np.clip(body - tx.blur(body, 4.0), 0, 1) * 1.6
    patch[..., 3] = np.clip(patch[..., 3] + rim * 0.7, 0, 1)
    shade(patch, 1 - 0.6 * np.clip(rim, 0, 1))
    ribs = np.asarray(np.sin(y * MID * 2 * np.pi / rng.uniform(8, 14)) > 0.75, np.float32) * body
    shade(patch, 1 - 0.35 * ribs * (rng.random() < 0.7))
    for _ in range(int(rng.integers(2, 4))):
        at, width = rng.uniform(-0.75, 0.75) * half / MID, rng.uniform(0.012, 0.03)
        shine(patch, np.asarray(np.exp(-(((x - at) / width) ** 2)) * body * rng.uniform(0.5, 0.9), np.float32))
    if rng.random() < 0.45:
        label = body * np.asarray(np.abs(y - rng.uniform(0.1, 0.4)) < rng.uniform(0.12, 0.22), np.float32)
        paint(patch, contrasting_colour(rng, base), label)
        patch[..., 3] = np.maximum(patch[..., 3], label * 0.95)
    cap = tx.polygon(
        SIDE,
        SIDE,
        [[MID - neck - 2, top - 12], [MID + neck + 2, top - 12], [MID + neck + 2, top + 3], [MID - neck - 2, top + 3]],
    )
    paint(patch, contrasting_colour(rng, base), cap)
    patch[..., 3] = np.maximum(patch[..., 3], cap)
    return _dented(rng, patch, rng.uniform(0, 5))


def plasticbag(rng: Rng) -> Patch:
    """A sagging bag: no straight edge, wrinkled film that lets the ground through, often two handles."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    bumps = sum(rng.normal(0, 5 / k) * np.cos(k * angles + rng.uniform(0, 6.28)) for k in range(2, 7))
    radius = rng.uniform(42, 54) + bumps * 1.4
    centre = MID + 12
    blob = tx.polygon(SIDE, SIDE, np.stack([MID + radius * np.cos(angles), centre + radius * np.sin(angles)], -1))
    if rng.random() < 0.65:
        for side in (-1, 1):
            at = (MID + side * rng.uniform(20, 32), centre - rng.uniform(46, 58))
            blob = np.maximum(
                blob, tx.ellipse(SIDE, SIDE, at, (rng.uniform(9, 14), rng.uniform(16, 24)), int(rng.integers(5, 9)))
            )
    patch = filled_patch(colour(rng), blob * np.float32(rng.uniform(0.5, 0.85)))
    folds = tx.ridges(rng, SIDE, SIDE, int(rng.integers(3, 6)))
    fine = tx.ridges(rng, SIDE, SIDE, int(rng.integers(7, 11)))
    shade(patch, 0.72 + 0.4 * tx.noise(rng, SIDE, SIDE, 4, 2))
    patch[..., 3] *= np.clip(0.65 + 0.7 * tx.noise(rng, SIDE, SIDE, 4, 2), 0, 1)
    shine(patch, np.clip(0.75 * folds + 0.5 * fine, 0, 0.95) * blob)
    shade(patch, 1 - 0.4 * tx.ridges(rng, SIDE, SIDE, 5) * blob)
    return _dented(rng, patch, rng.uniform(4, 10))


def styrofoam(rng: Rng) -> Patch:
    """A tray with a thick rim or a block with a visible edge: matt, beaded, corners broken off."""
    w, h = rng.uniform(46, 68), rng.uniform(36, 58)
    corners = [[MID - w, MID - h], [MID + w, MID - h], [MID + w, MID + h], [MID - w, MID + h]]
    at = int(rng.integers(0, 4))
    bite = rng.uniform(14, 30)
    before, here, after = (np.array(corners[(at + k) % 4]) for k in (-1, 0, 1))
    cut = [here + (other - here) / np.hypot(*(other - here)) * bite for other in (before, after)]
    outline = [np.array(c) for c in corners[:at]] + cut + [np.array(c) for c in corners[at + 1 :]]
    mask = tx.polygon(SIDE, SIDE, tx.roughen(rng, np.array(outline), 0.9))
    patch = filled_patch(colour(rng), mask)
    if rng.random() < 0.6:
        rim = rng.uniform(9, 14)
        inner = tx.polygon(
            SIDE,
            SIDE,
            [[MID + sx * (w - rim), MID + sy * (h - rim)] for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))],
        )
        depth = inner - np.roll(inner, (4, 4), (0, 1))
        shade(patch, 1 - 0.12 * inner - 0.4 * np.clip(depth, 0, 1))
        shine(patch, 0.4 * np.clip(-depth, 0, 1) * mask)
    else:
        edge = np.asarray(coordinates()[1] * MID > h - rng.uniform(12, 20), np.float32)
        shade(patch, 1 - edge * np.float32(rng.uniform(0.25, 0.4)))
    grain = tx.beads(rng, SIDE, SIDE, int(rng.integers(450, 900)))
    shade(patch, 0.74 + 0.3 * grain)
    return patch


DRAWN: dict[str, Callable[[Rng], Patch]] = {
    "Metal": metal,
    "Paper": paper,
    "Paperpack": paperpack,
    "Plastic": plastic,
    "Plasticbag": plasticbag,
    "Styrofoam": styrofoam,
}
