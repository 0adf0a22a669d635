"""Random rectangles: what a random resized crop keeps, what random erasing and cutout grey out.

Boxes are int (b, 4): top, left, height, width in pixels; one without height covers nothing.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from leansort.data.augmentation.per_sample_rng import Uniforms

Boxes = npt.NDArray[np.int64]
TRIES = 10
NUMBERS = 2 * TRIES + 2  # uniform numbers that a random box takes
ERASED_AREA, ERASED_RATIO = (0.02, 0.33), (0.3, 3.3)  # arXiv:1708.04896, as torchvision has them


def random_boxes(
    u_bk: Uniforms, height: int, width: int, area: tuple[float, float], ratio: tuple[float, float]
) -> Boxes:
    """Draw a box of random area and aspect for each crop (Szegedy et al. 2015, arXiv:1409.4842).

    Args:
        u_bk: (b, NUMBERS) uniform numbers.
        height: of the frame that the box has to fit in.
        width: of that frame.
        area: smallest and largest fraction of the frame's area.
        ratio: smallest and largest width over height, even in the logarithm.

    Returns:
        (b, 4); all 0 where none of ten tries fits the frame.
    """
    areas = height * width * (area[0] + u_bk[:, :TRIES] * (area[1] - area[0]))
    low, high = math.log(ratio[0]), math.log(ratio[1])
    ratios = np.exp(low + u_bk[:, TRIES : 2 * TRIES] * (high - low))
    w, h = np.rint(np.sqrt(areas * ratios)), np.rint(np.sqrt(areas / ratios))
    fits: npt.NDArray[np.bool_] = (w >= 1) & (w <= width) & (h >= 1) & (h <= height)
    first = fits.argmax(1)[:, None]
    w, h = (np.take_along_axis(side, first, 1)[:, 0] for side in (w, h))
    top = np.floor(u_bk[:, -2] * (height - h + 1))
    left = np.floor(u_bk[:, -1] * (width - w + 1))
    result = fits.any(1, keepdims=True)
    return np.where(result, np.stack([top, left, h, w], 1), 0).astype(np.int64)


def resized_crop_boxes(u_bk: Uniforms, height: int, width: int, min_scale: float, ratio: float) -> Boxes:
    """Boxes of random resized crops; where no try fits, as much as the aspect allows around the middle."""
    boxes = random_boxes(u_bk, height, width, (min_scale, 1.0), (1 / ratio, ratio))
    h, w = min(height, round(width * ratio)), min(width, round(height * ratio))
    return np.where(boxes[:, 2:3] > 0, boxes, [(height - h) // 2, (width - w) // 2, h, w])


def erasing_boxes(u_bk: Uniforms, size: int, probability: float) -> Boxes:
    """Boxes of random erasing; u_bk: (b, 1 + NUMBERS), the first of them decides whether."""
    boxes = random_boxes(u_bk[:, 1:], size, size, ERASED_AREA, ERASED_RATIO)
    return boxes * (u_bk[:, :1] < probability)


def cutout_boxes(u_bk: Uniforms, size: int, fraction: float) -> Boxes:
    """Squares around a middle anywhere in the image, cut at its edges; u_bk: (b, 2)."""
    side = round(fraction * size)
    start = np.floor(u_bk * size).astype(np.int64) - side // 2
    inside = np.clip(start, 0, size)
    return np.concatenate([inside, np.clip(start + side, 0, size) - inside], 1)
