"""How far a belt has gone between two frames, by all of its boxes together, before any of them has been followed.

A full belt that goes further in a frame than half the distance of its objects looks as if it went backwards, or stood:
each box lies nearest to where a neighbour was. But neighbours are not equally far apart, so that of all ways to pair
boxes of the same size only the true one gives many pairs the same shift.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from leansort.core.pixels.camera_frames import Box

LEAST_PAIRS = 3  # that have to agree; fewer do so by chance
_ALIKE = 2.0  # pixels by which sides and shifts of the same object may differ
_SHARE_ALIKE = 0.08  # the same as a fraction of the side, where boxes are large and found by their outlines
_MOST = 400  # boxes of a frame that are looked at; more tell nothing new


def common_motion(before: Sequence[Box], after: Sequence[Box]) -> tuple[float, float] | None:
    """Return the shift that most boxes agree upon.

    Args:
        before: x, y, width and height of a frame's boxes, in pixels.
        after: the same of a later frame.

    Returns:
        Pixels along x and y; None where fewer than `LEAST_PAIRS` agree, or another shift has as many.
    """
    if min(len(before), len(after)) < LEAST_PAIRS:
        return None
    old, new = np.array(before[:_MOST], np.float64)[:, None], np.array(after[:_MOST], np.float64)[None]
    bound = _ALIKE + _SHARE_ALIKE * old[..., 2:]
    alike = (np.abs(new[..., 2:] - old[..., 2:]) <= bound).all(axis=-1)
    shifts = (new[..., :2] + new[..., 2:] / 2 - old[..., :2] - old[..., 2:] / 2)[alike]
    if len(shifts) < LEAST_PAIRS:
        return None
    centres, counts = _windows(shifts)
    best = centres[int(counts.argmax())]
    near = (np.abs(shifts - best) <= _ALIKE).all(axis=1)
    others = (np.abs(centres - best) > 2 * _ALIKE).any(axis=1)
    if near.sum() < LEAST_PAIRS or counts[others].max(initial=0) >= near.sum():
        return None
    x, y = np.median(shifts[near], axis=0).tolist()
    return x, y


def _windows(shifts: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Centres (m, 2) of windows that are twice `_ALIKE` wide, and how many shifts (n, 2) lie in each of them.

    The plane is cut into cells of a third of a window, and each cell that holds a shift is the middle of a window.
    """
    side = 2 * _ALIKE / 3
    cells = np.floor(shifts / side).astype(np.int64)
    row = int(np.abs(cells).max()) * 4 + 8  # more than any step between two cells, so that keys are never mixed up
    keys, held = np.unique(cells[:, 0] * row + cells[:, 1], return_counts=True)
    counts = np.zeros(len(keys), np.int64)
    for step in (x * row + y for x in (-1, 0, 1) for y in (-1, 0, 1)):
        at = np.minimum(np.searchsorted(keys, keys + step), len(keys) - 1)
        counts += np.where(keys[at] == keys + step, held[at], 0)
    across = np.floor_divide(keys + row // 2, row)
    return (np.stack([across, keys - across * row], 1) + 0.5) * side, counts
