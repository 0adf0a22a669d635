"""Grey textures and masks that materials are made of: float32 arrays of shape (h, w), mostly 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.float32]
Rng = np.random.Generator


def _float(array: npt.NDArray[np.generic]) -> Grey:
    return np.asarray(array, np.float32)


def noise(rng: Rng, height: int, width: int, cells: int, octaves: int = 3) -> Grey:
    """Smooth noise: `cells` bumps across, then finer and fainter ones; scaled to 0..1."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        side = max(2, cells * 2**octave)
        coarse = _float(rng.random((side, side)))
        total += _float(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)) / 2**octave
    low, high = float(total.min()), float(total.max())
    return _float((total - low) / max(high - low, 1e-6))


def facets(rng: Rng, height: int, width: int, count: int) -> Grey:
    """Flat cells of random brightness with straight borders, as in crumpled sheet."""
    labels = _nearest(rng, height, width, count)[1]
    return _float(rng.random(int(labels.max()) + 1))[labels]


def beads(rng: Rng, height: int, width: int, count: int) -> Grey:
    """Round bumps packed side by side, dark in the gaps, as in expanded polystyrene."""
    distance = _nearest(rng, height, width, count)[0]
    return _float(1.0 - np.clip(distance / max(float(np.quantile(distance, 0.98)), 1e-3), 0, 1) ** 2)


def _nearest(rng: Rng, height: int, width: int, count: int) -> tuple[Grey, npt.NDArray[np.int32]]:
    grid = np.full((height, width), 255, np.uint8)
    grid[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
    distance, labels = cv2.distanceTransformWithLabels(grid, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    return _float(distance), np.asarray(labels, np.int32)


def ridges(rng: Rng, height: int, width: int, cells: int) -> Grey:
    """Thin bright crests on a dark ground, as wrinkles in film are."""
    return _float((1.0 - np.abs(2.0 * noise(rng, height, width, cells, 2) - 1.0)) ** 6)


def polygon(height: int, width: int, points: npt.NDArray[np.floating] | Sequence[Sequence[float]]) -> Grey:
    """Filled polygon with smooth edges; points are (x, y)."""
    mask = np.zeros((height, width), np.uint8)
    fixed = np.round(np.asarray(points) * 16).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, lineType=cv2.LINE_AA, shift=4)
    return _float(mask / 255)


def ellipse(
    height: int, width: int, centre: tuple[float, float], axes: tuple[float, float], thickness: int = -1
) -> Grey:
    """Ellipse with smooth edges, filled or as a line."""
    mask = np.zeros((height, width), np.uint8)
    box = (int(centre[0]), int(centre[1])), (max(1, int(axes[0])), max(1, int(axes[1])))
    cv2.ellipse(mask, box[0], box[1], 0, 0, 360, 255, thickness, cv2.LINE_AA)
    return _float(mask / 255)


def roughen(
    rng: Rng, points: npt.NDArray[np.floating] | Sequence[Sequence[float]], amount: float
) -> npt.NDArray[np.floating]:
    """Break straight edges into small random teeth, as torn or broken edges have."""
    corners = np.asarray(points, np.float64)
    made = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        steps = max(2, int(np.hypot(*(end - start)) / 4))
        share = np.linspace(0, 1, steps, endpoint=False)[:, None]
        made.append(start + share * (end - start) + rng.normal(0, amount, (steps, 2)))
    return np.concatenate(made)


def blur(image: Grey, sigma: float) -> Grey:
    """Gaussian blur."""
    return _float(cv2.GaussianBlur(image, (0, 0), sigma))
