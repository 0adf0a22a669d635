"""Surfaces: noise, creases, relief under a lamp, and the range of colours that every class shares.

All arrays are float32 in 0..1 unless said. Coordinates are pixels, y down; a lamp is a unit vector (x, y, z) towards
the light, z towards the camera.
"""

from __future__ import annotations

import colorsys
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

F32: TypeAlias = NDArray[np.float32]
Rng: TypeAlias = np.random.Generator


def f32(value: Any) -> F32:
    """Return `value` as a float32 array (OpenCV's stubs know no element types)."""
    return np.asarray(value, dtype=np.float32)


def chance(rng: Rng, probability: float) -> bool:
    """Return True with this probability."""
    return bool(rng.random() < probability)


def noise(rng: Rng, h: int, w: int, cell_x: float, cell_y: float | None = None) -> F32:
    """Return smooth noise (h, w), roughly 0..1, that changes over `cell` pixels; unequal cells give grain."""
    rows, columns = int(h / (cell_y or cell_x)) + 3, int(w / cell_x) + 3
    return f32(cv2.resize(f32(rng.random((rows, columns))), (w, h), interpolation=cv2.INTER_CUBIC))


def fractal(rng: Rng, h: int, w: int, cell: float, octaves: int = 3) -> F32:
    """Return noise with finer and weaker detail at every octave."""
    total, weight = np.zeros((h, w), np.float32), 0.0
    for octave in range(octaves):
        total += noise(rng, h, w, max(1.0, cell / 2**octave)) * 0.5**octave
        weight += 0.5**octave
    return f32(total / weight)


def cells(rng: Rng, h: int, w: int, count: int) -> tuple[F32, NDArray[np.int32]]:
    """Split the plane around `count` random points; return the distance to the nearest and its number."""
    seeds = np.ones((h, w), np.uint8)
    seeds[rng.integers(0, h, count), rng.integers(0, w, count)] = 0
    distance, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    return f32(distance), np.asarray(labels, np.int32)


def facets(rng: Rng, h: int, w: int, count: int, steepness: float) -> tuple[F32, F32]:
    """Return the slopes (x, y) of a crumpled sheet: flat pieces, each tilted its own way."""
    _, labels = cells(rng, h, w, count)
    slopes = f32(rng.normal(0, steepness, (2, count + 1)))
    return f32(cv2.blur(slopes[0][labels], (3, 3))), f32(cv2.blur(slopes[1][labels], (3, 3)))


def slopes_of(height: F32) -> tuple[F32, F32]:
    """Return the slopes (x, y) of a height map in pixels."""
    return f32(cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=0.125)), f32(cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=0.125))


def lit(slope_x: F32, slope_y: F32, lamp: F32, power: float) -> tuple[F32, F32]:
    """Light a surface: return its matte brightness (1 where flat) and its mirror highlight (0..1)."""
    length = np.sqrt(slope_x**2 + slope_y**2 + 1)
    matte = np.maximum(0, lamp[2] - slope_x * lamp[0] - slope_y * lamp[1]) / (length * lamp[2])
    halfway = lamp + np.array([0, 0, 1], np.float32)
    halfway /= np.linalg.norm(halfway)
    mirror = np.maximum(0, halfway[2] - slope_x * halfway[0] - slope_y * halfway[1]) / length
    return f32(matte), f32(mirror**power)


def reflections(rng: Rng, contrast: float) -> F32:
    """Return what a curved mirror shows from left to right (256 values): a few hard bright and dark bands."""
    count = int(rng.integers(7, 12))
    levels = rng.random(count)
    levels[rng.integers(0, count)] = 1.35  # one lamp is always in sight, or metal would not look wet
    table = cv2.resize(f32(levels[None]), (256, 1), interpolation=cv2.INTER_CUBIC)[0]
    return f32(0.62 + contrast * (table - 0.5))


def mirrored(table: F32, position: F32) -> F32:
    """Look up reflections at positions -1..1."""
    index = np.clip((position + 1) * 127.5, 0, 255).astype(np.uint8)
    return f32(table[index])


def tint(rng: Rng) -> F32:
    """Return a colour (3,) from the one range that all classes share, so that colour tells no class."""
    kind = rng.random()
    if kind < 0.42:
        hue, saturation, value = rng.random(), rng.uniform(0, 0.08), rng.uniform(0.7, 0.97)
    elif kind < 0.58:
        hue, saturation, value = rng.uniform(0.05, 0.14), rng.uniform(0.15, 0.5), rng.uniform(0.45, 0.9)
    elif kind < 0.68:
        hue, saturation, value = rng.random(), rng.uniform(0, 0.2), rng.uniform(0.12, 0.4)
    else:
        hue, saturation, value = rng.random(), rng.uniform(0.3, 0.9), rng.uniform(0.35, 0.95)
    return f32(colorsys.hsv_to_rgb(hue, saturation, value))


def painted(h: int, w: int, colour: F32) -> F32:
    """Return a picture (h, w, 3) of one colour."""
    return np.broadcast_to(colour, (h, w, 3)).astype(np.float32)


def blend(picture: F32, colour: F32, share: F32) -> F32:
    """Lay `colour` over `picture` where `share` (h, w) says so."""
    return f32(picture + (colour - picture) * share[..., None])
