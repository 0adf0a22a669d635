"""Where the objects of training crops are: found once, and kept beside the decoded crops."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leansort.core.preprocess import Preprocess
from leansort.core.writing import atomic_io
from leansort.core.writing.file_lock import hold_lock
from leansort.measure.robustness.stress_crops import StressCrop, cut_object, load_crop
from leansort.runtime.autobatch import usable_cores

_VERSION = 1  # grows when objects are found in another way
_SIDE = 192  # pixels of the longer side at which they are looked for
Covers = npt.NDArray[np.uint8]
Advance = Callable[[int, int], None]


def load_covers(
    crops: Sequence[StressCrop],
    hashes: Sequence[str],
    preprocess: Preprocess,
    folder: Path,
    advance: Advance | None = None,
) -> Covers:
    """Find the objects of crops, or read where they are.

    Args:
        crops: the crops, with their polygons where they have some.
        hashes: of their files.
        preprocess: that makes pixels of them; covers have half its size.
        folder: where caches are kept.
        advance: called with (done, all) while they are looked for.

    Returns:
        uint8 (n, s, s): 255 where the object or the padding is, all 0 where the object is not found.

    Raises:
        UnreadableImage: a crop is missing or no image.
    """
    polygons = [[list(ring) for ring in crop.polygons] for crop in crops]
    path = folder / f"covers-{atomic_io.digest([_VERSION, preprocess.digest, list(hashes), polygons])}.npy"
    small = cover_preprocess(preprocess)
    with hold_lock(path.with_suffix(".lock")):
        try:
            kept: Covers = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            kept = np.empty((0, 0, 0), np.uint8)
        if kept.shape == (len(crops), small.size, small.size):
            return kept
        found = _found(crops, small, advance)
        file = io.BytesIO()
        np.save(file, found)
        atomic_io.write_bytes(path, file.getvalue())
    return found


def cover_preprocess(preprocess: Preprocess) -> Preprocess:
    """What lays a cover out as crops are: of half their size, with padding that counts as the object, so it stays."""
    return preprocess.model_copy(update={"size": max(16, preprocess.size // 2), "fill": 255})


def find_cover(crop: StressCrop, small: Preprocess) -> Covers:
    """Find the object of a crop, (s, s), laid out by `cover_preprocess`; all 0 where it is not found.

    Raises:
        UnreadableImage: the crop is missing or no image.
    """
    cut = cut_object(crop, load_crop(crop, _SIDE), "auto")
    if cut.fault:
        return np.zeros((small.size, small.size), np.uint8)
    return small(np.repeat((cut.cover * 255).astype(np.uint8)[..., None], 3, axis=2))[..., 0]


def _found(crops: Sequence[StressCrop], small: Preprocess, advance: Advance | None) -> Covers:
    covers = np.zeros((len(crops), small.size, small.size), np.uint8)

    def find(at: int) -> None:
        covers[at] = find_cover(crops[at], small)

    with ThreadPoolExecutor(usable_cores()) as pool:
        for done, _ in enumerate(pool.map(find, range(len(crops))), 1):
            if advance:
                advance(done, len(crops))
    return covers
