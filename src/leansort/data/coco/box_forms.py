"""Files whose boxes are in another form than COCO's x, y, width, height in pixels; told from all boxes of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leansort.core.errors import UserError
from leansort.data.coco.frames import FARTHEST, Boxes

FEWEST = 4  # boxes of two corners; fewer may leave their photos by chance
SLACK, FAR = 1.0, 0.05  # pixels that rounding explains; fraction of a photo's side that it does not
Part = tuple[Path, slice]


def require_pixels(parts: Sequence[Part], boxes: Boxes, sizes: Boxes, ids: Sequence[str]) -> None:
    """Refuse a file all of whose boxes are fractions of the photo, or two corners.

    Args:
        parts: each file with where its boxes are.
        boxes: (n, 4) as annotated.
        sizes: (n, 2) width and height of each box's photo; NaN where it is not known.
        ids: the n annotation ids.

    Raises:
        UserError: with what the boxes seem to be, and the first of them.
    """
    for path, part in parts:
        own, frames = boxes[part], sizes[part]
        if not len(own):
            continue
        if _are_shares(own, frames):
            first = f"annotation {ids[part.start]} {_shown(own[0])}"
            raise UserError(
                f"annotations: {path}: no number of its {len(own)} boxes is above 1, so they seem to be fractions of "
                f"the photo's sides, COCO has pixels; first: {first}; multiply them by the photo's width and height"
            )
        beyond = _beyond(own, frames)
        if len(own) >= FEWEST and 2 * beyond.sum() >= len(own) and _fit_as_corners(own, frames):
            at = int(np.argmax(beyond))
            photo = "x".join(f"{side:g}" for side in frames[at])
            raise UserError(
                f"annotations: {path}: its boxes seem to be x1, y1, x2, y2 (two corners), COCO has x, y, width, "
                f"height: as those {beyond.sum()} of {len(own)} leave their photos, first: annotation "
                f"{ids[part.start + at]} {_shown(own[at])} in {photo}; write x2 - x1 and y2 - y1 in their place"
            )


def _are_shares(boxes: Boxes, sizes: Boxes) -> bool:
    """Whether all are within 0 and 1, of some area, and not in photos of one pixel."""
    within = bool((boxes >= 0).all() and (boxes <= 1).all() and (boxes[:, 2:] > 0).any())
    return within and bool(((boxes > 0) & (boxes < 1)).any()) and not bool((sizes <= 1).any())


def _beyond(boxes: Boxes, sizes: Boxes) -> npt.NDArray[np.bool_]:
    """(n,) whether a box leaves its photo to the right or below by far more than rounding; never where nobody knows."""
    kept = np.clip(boxes, -FARTHEST, FARTHEST)
    over = kept[:, :2] + kept[:, 2:] - sizes
    return np.asarray((over > np.maximum(SLACK, FAR * sizes)).any(axis=1))


def _fit_as_corners(boxes: Boxes, sizes: Boxes) -> bool:
    within = (boxes[:, :2] >= 0) & (boxes[:, 2:] > boxes[:, :2]) & ~(boxes[:, 2:] > sizes + SLACK)
    return bool(within.all())


def _shown(box: npt.NDArray[np.float64]) -> str:
    return "[" + ", ".join(f"{number:g}" for number in box) + "]"
