"""From a box as annotated to the rectangle that is cut out: clipped, widened, and refused where nothing is left."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leansort.data.coco import masks
from leansort.data.coco.records import polygon

Boxes = npt.NDArray[np.float64]
FARTHEST = 1e9  # pixels; keeps absurd boxes within whole numbers
SLACK = 0.5  # a box that leaves the frame by rounding alone is not called clipped
KINDS = ("", "box of no area", "box outside the frame", "box under the least size")
NOT_A_BOX = "box is not four finite numbers"


@dataclass(frozen=True)
class Frames:
    """Rectangles to cut, one a box.

    Attributes:
        edges: (n, 4) left, top, right, bottom in whole pixels, right and bottom exclusive.
        clipped: (n,) whether the box itself left the frame.
        fault: (n,) index into `KINDS`; 0 where the rectangle can be cut.
    """

    edges: npt.NDArray[np.int64]
    clipped: npt.NDArray[np.bool_]
    fault: npt.NDArray[np.int8]


def crop_frames(boxes: Boxes, sizes: Boxes, margin: float, least: int) -> Frames:
    """Clip boxes to their photos and widen them.

    Args:
        boxes: (n, 4) x, y, width, height in pixels.
        sizes: (n, 2) width and height of each box's photo; NaN where it is not known, which clips nothing.
        margin: context added on every side, as a fraction of the box's longer side.
        least: boxes with a side under this many pixels inside the frame are refused.
    """
    limit = np.where(np.isnan(sizes), FARTHEST, sizes)
    low = np.where(np.isnan(sizes), -FARTHEST, 0.0)
    start = np.clip(boxes[:, :2], -FARTHEST, FARTHEST)
    end = np.clip(start + np.clip(boxes[:, 2:], -2 * FARTHEST, 2 * FARTHEST), -FARTHEST, FARTHEST)
    clipped = ((start < low - SLACK) | (end > limit + SLACK)).any(axis=1)
    inner_start, inner_end = np.rint(np.clip(start, low, limit)), np.rint(np.clip(end, low, limit))
    sides = inner_end - inner_start
    empty = (boxes[:, 2:] <= 0).any(axis=1)
    outside = ~empty & ((start >= limit) | (end <= low)).any(axis=1)
    small = ~empty & ~outside & (sides < least).any(axis=1)
    wider = np.rint(margin * sides.max(axis=1, initial=0))[:, None]
    edges = np.concatenate([np.clip(inner_start - wider, low, limit), np.clip(inner_end + wider, low, limit)], axis=1)
    fault = np.select([empty, outside, small], [1, 2, 3], 0).astype(np.int8)
    return Frames(edges.astype(np.int64), clipped & (fault == 0), fault)


def box_of(annotation: Any, prefer_polygon: bool) -> tuple[float, float, float, float] | None:
    """The box of an annotation: its `bbox`, else the bounds of its polygons or mask; None where neither is usable."""
    result = masks.mask_bounds(polygon(annotation)) if prefer_polygon or annotation.bbox is None else None
    return _finite(annotation.bbox if result is None else result)


def _finite(box: Any) -> tuple[float, float, float, float] | None:
    try:
        x, y, w, h = (float(value) for value in box if not isinstance(value, str))
    except (TypeError, ValueError, OverflowError):
        return None
    return (x, y, w, h) if math.isfinite(x + y + w + h) and len(box) == 4 else None
