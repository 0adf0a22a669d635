"""Regions of boolean masks (h, w): grown, shrunk, reached, filled; neighbours are above, below, left and right."""

from __future__ import annotations

import numpy as np

from leansort.measure.corruptions.arrays import Mask

_DIRECTIONS = 8  # in which a convex hull is measured


def dilate(mask: Mask, times: int = 1) -> Mask:
    """Grow by so many pixels."""
    for _ in range(times):
        made = mask.copy()
        made[1:] |= mask[:-1]
        made[:-1] |= mask[1:]
        made[:, 1:] |= mask[:, :-1]
        made[:, :-1] |= mask[:, 1:]
        mask = made
    return mask


def erode(mask: Mask, times: int = 1) -> Mask:
    """Shrink by so many pixels; the image's border takes nothing away."""
    return ~dilate(~mask, times)


def reach(start: Mask, mask: Mask) -> Mask:
    """The part of `mask` that can be reached from `start` without leaving it."""
    reached = start & mask
    while True:
        grown = reached
        for _ in range(4):  # looking whether it still grows takes as long as a step
            grown = dilate(grown) & mask
        if np.array_equal(grown, reached):
            return reached
        reached = grown


def frame(shape: tuple[int, int], width: int) -> Mask:
    """The outermost pixels of an image of this shape."""
    made = np.ones(shape, np.bool_)
    made[width:-width, width:-width] = False
    return made


def fill_holes(mask: Mask) -> Mask:
    """The mask with all that it encloses."""
    outside = ~mask
    return ~reach(frame(mask.shape, 1), outside)


def open_region(mask: Mask) -> Mask:
    """Without what is thinner than five pixels."""
    core = erode(mask, 2)
    return reach(core, mask) & dilate(core, 2)


def large_parts(mask: Mask, share: float, most: int = 12) -> Mask:
    """The parts of a mask that have at least `share` of the pixels of its largest, among the first `most`."""
    parts: list[Mask] = []
    rest = mask.copy()
    while rest.any() and len(parts) < most:
        start = np.zeros_like(rest)
        start.flat[np.argmax(rest)] = True
        parts.append(reach(start, rest))
        rest &= ~parts[-1]
    largest = max((int(part.sum()) for part in parts), default=0)
    kept = [part for part in parts if part.sum() >= share * largest]
    return np.any(kept, axis=0) if kept else np.zeros_like(mask)


def solidity(mask: Mask) -> float:
    """Pixels of a mask over those of its hull, which 16 half-planes bound; 0 of an empty one."""
    if not mask.any():
        return 0.0
    y, x = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
    hull = np.ones_like(mask)
    for angle in np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS:
        along = x * np.cos(angle) + y * np.sin(angle)
        hull &= (along >= along[mask].min()) & (along <= along[mask].max())
    return float(mask.sum() / hull.sum())
