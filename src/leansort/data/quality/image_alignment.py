"""Do two images show the same thing? Aligned on each other, in grey and in colour.

Photos of different things on one table share their light and shadows, which is most of a thumbnail. So the slow
changes are taken away first, the second image is moved onto the first (ECC, Evangelidis & Psarakis 2008), and
what then remains has to agree in structure and in colour.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from leansort.core.preprocess import UnreadableImage, decode
from leansort.core.writing import atomic_io

Grey = npt.NDArray[np.float32]
SIDE = 64
SAME = 0.94  # correlation of structure from which two images are called the same
MOST_ZOOM = 1.3  # in area; two photos of one scene are taken from about the same distance
MOST_TINT = 12.0  # levels of chroma between matching pixels, 95th percentile
COLOURFUL = 100.0  # levels of chroma at which twice the difference is let pass: JPEG coarsens strong colours most
MOST_GAIN = 1.25  # in chroma, from a longer exposure
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
_WHOLE = np.ones((SIDE, SIDE), np.uint8)
_SLOW = 6.0  # sigma in pixels of what counts as light and shadow


def show_same_object(pairs: Sequence[tuple[Path, Path]]) -> list[float]:
    """Judge pairs of images.

    Returns:
        For each pair the correlation after alignment, or 0 where the two do not show the same.
    """
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(lambda pair: _same(*pair), pairs))


def _same(first: Path, second: Path) -> float:
    try:
        (a, a_colour), (b, b_colour) = _prepared(first), _prepared(second)
    except (OSError, UnreadableImage):
        return 0.0  # gone or damaged since it was looked at
    if a.std() < 1e-3 or b.std() < 1e-3:  # nothing to align on: even images are the same where the colour is
        return 1.0 if np.abs(a_colour - b_colour).mean() < 4.0 and a.std() < 1e-3 and b.std() < 1e-3 else 0.0
    try:
        start = np.eye(2, 3, dtype=np.float32)
        value, warp = cv2.findTransformECC(a, b, start, cv2.MOTION_AFFINE, _STEPS, _WHOLE, 3)
    except cv2.error:
        return 0.0  # did not converge
    zoom = abs(float(np.linalg.det(warp[:, :2])))
    if value < SAME or not 1 / MOST_ZOOM < zoom < MOST_ZOOM:
        return 0.0
    return float(value) if _tint(a_colour, b_colour, warp) <= MOST_TINT else 0.0


def _tint(first: Grey, second: Grey, warp: npt.NDArray[Any]) -> float:
    """Difference of the chroma of matching pixels; white balance and exposure of the whole image taken out."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(second, warp, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones((SIDE, SIDE), np.float32), warp, (SIDE, SIDE), flags=flags) > 0.5
    a, b = (colour[inside][:, 1:] - np.median(colour[inside][:, 1:], axis=0) for colour in (first, moved))
    gain = np.clip((a * b).sum() / max(float((b * b).sum()), 1e-6), 1 / MOST_GAIN, MOST_GAIN)
    apart = np.abs(a - gain * b).max(axis=1)
    return float(np.percentile(apart, 95)) / (1.0 + float(np.percentile(np.abs(a), 95)) / COLOURFUL)


@lru_cache(maxsize=4096)
def _prepared(path: Path) -> tuple[Grey, Grey]:
    """Structure (64, 64), unit contrast, and colour (64, 64, 3) in YCrCb."""
    bgr = decode(atomic_io.read_file(path), 2 * SIDE, "stretch")
    small = cv2.resize(bgr, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    colour = cv2.cvtColor(small, cv2.COLOR_BGR2YCrCb).astype(np.float32)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
    fast = grey - cv2.GaussianBlur(grey, (0, 0), _SLOW)
    return (fast / (fast.std() + 2.0)).astype(np.float32), colour
