"""Operators that mix a pixel with others: its channels' grey, the whole image's mean grey, its neighbours.

They blend as torchvision does, `factor * picture + (1 - factor) * other` cut down to whole levels; OpenCV rounds
instead, hence the halves taken off. Factor 1 leaves an image as it is.
"""

from __future__ import annotations

import cv2
import numpy as np

from leansort.data.augmentation.affine import Pixels
from leansort.data.augmentation.lookup_tables import apply_table

_GREY = np.array([0.2989, 0.587, 0.114], np.float32)
_DOWN = 0.49995  # rounding after taking this off cuts down, and a whole number less its rounding error stays whole
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13


def _grey(picture: Pixels) -> Pixels:
    return cv2.transform(picture, np.append(_GREY, -_DOWN)[None].astype(np.float32))  # type: ignore[return-value]


def color(picture: Pixels, value: float) -> Pixels:
    """Saturation: blend with grey, factor 1 + value."""
    grey = cv2.cvtColor(_grey(picture), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(picture, 1.0 + value, grey, -value, -_DOWN)  # type: ignore[return-value]


def contrast(picture: Pixels, value: float) -> Pixels:
    """Blend with the mean grey, factor 1 + value."""
    mean = np.float32(cv2.mean(_grey(picture))[0])
    levels = np.arange(256, dtype=np.float32) * np.float32(1.0 + value) + mean * np.float32(-value)
    return apply_table(picture, np.clip(levels, 0, 255).astype(np.uint8))


def sharpness(picture: Pixels, value: float) -> Pixels:
    """Blend with the smoothed image, factor 1 + value; the outermost pixels stay."""
    smooth = cv2.filter2D(picture, -1, _SMOOTH)
    blend = cv2.addWeighted(picture, 1.0 + value, smooth, -value, -_DOWN)
    made = picture.copy()
    made[1:-1, 1:-1] = blend[1:-1, 1:-1]
    return made
