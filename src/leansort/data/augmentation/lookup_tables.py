"""Operators that are a lookup table: fixed ones of (256,), and (256, 3) ones made from an image's histograms.

The numbers are torchvision's to the last bit, which is why 255 and factors are taken in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from leansort.data.augmentation.affine import Pixels

Table = npt.NDArray[np.uint8]
_LEVELS = np.arange(256)


def _brightness(value: float) -> npt.NDArray[np.float32]:
    return _LEVELS.astype(np.float32) * np.float32(1.0 + value)


def _solarize_add(value: float) -> npt.NDArray[np.int64]:
    return np.where(_LEVELS < 128, np.minimum(_LEVELS + int(value), 255), _LEVELS)


FIXED: dict[str, Callable[[float], npt.NDArray[np.float32] | npt.NDArray[np.int64]]] = {
    "Brightness": _brightness,
    "Posterize": lambda bits: _LEVELS & ~((1 << (8 - int(bits))) - 1),
    "Solarize": lambda threshold: np.where(255.0 * threshold <= _LEVELS, 255 - _LEVELS, _LEVELS),
    "SolarizeAdd": _solarize_add,
    "Invert": lambda _: 255 - _LEVELS,
}


@lru_cache(maxsize=1024)
def fixed_table(name: str, value: float) -> Table:
    """Table (256,) of an operator in FIXED; treat as read-only."""
    return np.clip(FIXED[name](value), 0, 255).astype(np.uint8)


def apply_table(picture: Pixels, table: Table) -> Pixels:
    """Replace every level of an image (h, w, 3); table: (256,), or (256, 3) for each channel its own."""
    return cv2.LUT(picture, table if table.ndim == 1 else table[None])  # type: ignore[return-value]


def autocontrast(picture: Pixels, value: float = 0.0) -> Pixels:
    """Stretch each channel over 0 to 255."""
    seen = _histograms(picture) > 0
    low = seen.argmax(1).astype(np.float32)
    high = (255 - seen[:, ::-1].argmax(1)).astype(np.float32)
    even = low == high
    scale = np.where(even, np.float32(1), (high - low) * np.float32(1 / 255))
    levels = (_LEVELS.astype(np.float32)[:, None] - np.where(even, np.float32(0), low)) / scale
    return apply_table(picture, np.clip(levels, 0, 255).astype(np.uint8))


def equalize(picture: Pixels, value: float = 0.0) -> Pixels:
    """Even out each channel's histogram, in Pillow's whole numbers."""
    counts = _histograms(picture)
    top = 255 - (counts > 0)[:, ::-1].argmax(1)
    step = (counts.sum(1) - counts[[0, 1, 2], top])[:, None] // 255
    below = np.cumsum(counts, 1) - counts
    levels = np.minimum((below + step // 2) // np.maximum(step, 1), 255)
    return apply_table(picture, np.where(step > 0, levels, _LEVELS).T.astype(np.uint8))


def _histograms(picture: Pixels) -> npt.NDArray[np.int64]:
    """Pixels of each level: (3, 256)."""
    counted = [cv2.calcHist([picture], [channel], None, [256], [0, 256]) for channel in range(3)]
    return np.stack([item.ravel() for item in counted]).astype(np.int64)  # OpenCV 4 gives (256, 1), OpenCV 5 (256,)
