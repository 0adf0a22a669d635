"""Resizing in numpy with OpenCV's weights: area means where both sides shrink, else interpolation."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from leansort.core.pixels import Image

Floats = npt.NDArray[np.float32]
Taps = tuple[npt.NDArray[np.intp], Floats]


def resize_image(image: Image, width: int, height: int, *, area: bool) -> Image:
    """Resize an image (h, w, c) to (height, width, c).

    Args:
        image: uint8.
        width: wanted columns.
        height: wanted rows.
        area: weigh input pixels by how much of an output pixel they cover; False interpolates linearly.
    """
    rows, columns = image.shape[:2]
    shrinks = rows >= height and columns >= width
    taps = _covering if area and shrinks else _stepping if area else _linear
    tall = _weighted(image, taps(rows, height), axis=0)
    means = _weighted(tall, taps(columns, width), axis=1)
    return np.rint(means, out=means).astype(np.uint8)


def _weighted(values: Image | Floats, taps: Taps, axis: int) -> Floats:
    """Sums of weighted rows (axis 0) or columns (axis 1) of (h, w, c); no more of it becomes float than is summed."""
    at, weights = taps
    channels = values.shape[2]
    # A column's weight is repeated for its channels: numpy multiplies long rows far faster than threes.
    spread = weights[:, :, None] if axis == 0 else np.repeat(weights, channels, axis=1)[:, None]
    total: Floats | None = None
    for item, weight in zip(at, spread, strict=True):
        picked = np.take(values, item, axis).astype(np.float32, copy=False)
        flat = picked.reshape(len(picked), -1)
        flat *= weight
        total = flat if total is None else np.add(total, flat, out=total)
    assert total is not None
    return total.reshape(len(total), -1, channels)


@lru_cache(maxsize=256)
def _covering(size: int, wanted: int) -> Taps:
    """Every input pixel counts by the share of the output pixel that it covers; (taps, wanted)."""
    edges = np.arange(wanted + 1) * (size / wanted)
    low, high = edges[:-1], edges[1:]
    first = np.floor(low + 1e-9).astype(np.intp)
    count = int(np.ceil(size / wanted)) + 1
    at = first + np.arange(count)[:, None]
    covered = np.clip(np.minimum(at + 1, high) - np.maximum(at, low), 0.0, None)
    return np.minimum(at, size - 1), (covered / covered.sum(axis=0)).astype(np.float32)


@lru_cache(maxsize=256)
def _linear(size: int, wanted: int) -> Taps:
    """Between the two nearest pixel centres."""
    where = (np.arange(wanted) + 0.5) * (size / wanted) - 0.5
    return _between(np.floor(where).astype(np.intp), where - np.floor(where), size)


@lru_cache(maxsize=256)
def _stepping(size: int, wanted: int) -> Taps:
    """OpenCV's for areas where a side grows: pixels as squares, blended only where an edge falls inside."""
    grows = wanted / size
    first = np.floor(np.arange(wanted) * (1 / grows)).astype(np.intp)
    over = (np.arange(1, wanted + 1) - (first + 1) * grows).astype(np.float32)  # OpenCV's rounding where edges coincide
    return _between(first, np.where(over <= 0, 0.0, over - np.floor(over)), size)


def _between(first: npt.NDArray[np.intp], share: npt.NDArray[np.float64], size: int) -> Taps:
    share = np.where((first < 0) | (first >= size - 1), 0.0, share)
    first = first.clip(0, size - 1)
    return np.stack([first, np.minimum(first + 1, size - 1)]), np.stack([1 - share, share]).astype(np.float32)
