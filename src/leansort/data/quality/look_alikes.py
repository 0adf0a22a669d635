"""Which of many photos show what one of a few known photos shows: a leak, where val or test would know them.

As `dataset_check` finds near-duplicates: hashes propose, thumbnails and alignment decide. Every photo is compared with
every known one, and photos with equal hashes each by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leansort.data.quality import image_alignment
from leansort.data.quality.dataset_check import LIKE_ENOUGH
from leansort.data.quality.near_duplicates import Hashes, Thumbs, correlation, perceptual_hashes

RADIUS = 14  # bits in which the hashes of a pair may differ, as `data check` takes for few images
_BLOCK = 1 << 22  # pairs of hashes compared at a time


@dataclass(frozen=True)
class Thumbnail:
    """A photo and its thumbnail.

    Attributes:
        path: the photo.
        pixels: (32, 32, 3) uint8 BGR.
    """

    path: Path
    pixels: Thumbs


def find_look_alikes(photos: Sequence[Thumbnail], known: Sequence[Thumbnail]) -> dict[int, int]:
    """Return for each photo that shows what a known one shows the index of the first such; others are left out."""
    if not photos or not known:
        return {}
    ours, theirs = _stacked(photos), _stacked(known)
    pairs = np.concatenate(list(_close(perceptual_hashes(ours), perceptual_hashes(theirs))))
    pairs = pairs[correlation(ours[pairs[:, 0]], theirs[pairs[:, 1]]) >= LIKE_ENOUGH]
    likes = image_alignment.show_same_object([(photos[a].path, known[b].path) for a, b in pairs])
    found: dict[int, int] = {}
    for (photo, other), like in zip(pairs.tolist(), likes, strict=True):
        if like:
            found.setdefault(photo, other)
    return found


def _stacked(items: Sequence[Thumbnail]) -> Thumbs:
    return np.stack([item.pixels for item in items])


def _close(ours: Hashes, theirs: Hashes) -> Iterator[npt.NDArray[np.int64]]:
    """(m, 2) indices of hashes that differ in few bits, block by block."""
    rows = max(1, _BLOCK // len(theirs))
    for start in range(0, len(ours), rows):
        apart = np.bitwise_count(ours[start : start + rows, None] ^ theirs[None])
        first, second = np.nonzero(apart <= RADIUS)
        yield np.stack([first + start, second], axis=1)
