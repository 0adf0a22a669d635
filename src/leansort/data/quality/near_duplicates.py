"""Near-duplicate images: a perceptual hash proposes pairs, a pixel measure confirms them.

Comparing all pairs would take n²/2 steps. Two hashes that differ in at most r of 64 bits, cut into m bands, differ in
at most r // m bits in one of the bands (pigeonhole; multi-index hashing, Norouzi et al. 2014, arXiv:1307.2982), so
looking each band up in a sorted list finds every pair within r, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import cv2
import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Pairs = npt.NDArray[np.int64]
Ranks = npt.NDArray[np.int32]
Thumbs = npt.NDArray[np.uint8]
SIDE = 32
BITS = 64
_BLOCK = 262_144  # candidate pairs held at a time


def thumbnail(bgr: npt.NDArray[np.uint8]) -> Thumbs:
    """Shrink an image to (32, 32, 3) BGR, its aspect ratio let go."""
    return cv2.resize(bgr, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def perceptual_hashes(thumbs: Thumbs) -> Hashes:
    """Hash thumbnails by the signs of their low frequencies against their median (pHash, Zauner 2010).

    Args:
        thumbs: (n, 32, 32, 3) uint8 BGR.

    Returns:
        (n,) 64-bit hashes; images that look alike differ in few bits.
    """
    grey = thumbs.astype(np.float32) @ np.array([0.114, 0.587, 0.299], np.float32)
    at = (np.arange(SIDE) + 0.5) * np.pi / SIDE
    basis = np.cos(np.arange(8)[:, None] * at[None]).astype(np.float32)
    low = (basis @ grey @ basis.T).reshape(len(grey), BITS)
    low[:, 0] = 0.0  # the mean brightness says nothing
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64).reshape(-1)


def near_pairs(hashes: Hashes, radius: int) -> Pairs:
    """All pairs of hashes that differ in at most `radius` bits.

    Args:
        hashes: (n,) 64-bit hashes.
        radius: largest number of differing bits.

    Returns:
        (m, 2) indices i < j, sorted. Equal hashes are paired with the first of their kind alone, so that a thousand
        blank images give a thousand pairs and not half a million.
    """
    kinds, first, back = np.unique(hashes, return_index=True, return_inverse=True)
    same = np.flatnonzero(first[back] != np.arange(len(hashes)))
    band = [np.stack([first[back[same]], same], axis=1)]
    bands = _bands(len(kinds))
    for number, (shift, width) in enumerate(bands):
        flips = radius // len(bands) - (number > radius % len(bands))  # were all bands over this, the sum would be, too
        band += [np.sort(first[pairs], axis=1) for pairs in _of_band(kinds, shift, width, flips, radius)]
    return np.unique(np.concatenate(band).astype(np.int64), axis=0)


def _bands(count: int) -> list[tuple[int, int]]:
    """(shift, width) of each band: about log2(n) bits, so that a look-up meets about one hash by chance."""
    number = max(4, round(BITS / max(8.0, np.log2(max(2, count)))))
    edges = np.linspace(0, BITS, number + 1).round().astype(int).tolist()
    return [(low, high - low) for low, high in pairwise(edges)]


def _of_band(kinds: Hashes, shift: int, width: int, flips: int, radius: int) -> Iterator[Pairs]:
    """Look every hash up under its own band and under the band with up to `flips` bits turned.

    Everything is in the order of the band, so that look-ups next to each other touch memory next to each other.
    """
    keys = ((kinds >> np.uint64(shift)) & np.uint64((1 << width) - 1)).astype(np.int32)
    order = np.argsort(keys, kind="stable")
    keys, ranked = keys[order], kinds[order]
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=1 << width))]).astype(np.int32)
    for flipped in range(flips + 1):
        for bits in combinations(range(width), flipped):
            wanted = keys ^ np.int32(sum(1 << bit for bit in bits))
            for pairs in _candidates(ranked, starts[wanted], starts[wanted + 1], radius):
                yield order[pairs]


def _candidates(ranked: Hashes, low: Ranks, high: Ranks, radius: int) -> Iterator[Pairs]:
    """Expand ranges of ranks into pairs, block by block, and keep those within the radius."""
    lengths = high - low
    reach = np.cumsum(lengths, dtype=np.int64)
    start = 0
    while start < len(ranked):
        base = reach[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(reach, base + _BLOCK, "right")))
        part = lengths[start:end]
        left = np.repeat(np.arange(start, end, dtype=np.int32), part)
        offset = low[start:end] - (reach[start:end] - part - base).astype(np.int32)
        right = np.arange(len(left), dtype=np.int32) + np.repeat(offset, part)
        close = (np.bitwise_count(ranked[left] ^ ranked[right]) <= radius) & (left < right)
        yield np.stack([left[close], right[close]], axis=1)
        start = end


def correlation(first: Thumbs, second: Thumbs) -> npt.NDArray[np.float64]:
    """Correlation of pairs of thumbnails over all pixels and channels; blind to brightness and contrast.

    Args:
        first: (n, 32, 32, 3) uint8.
        second: the same shape.

    Returns:
        (n,) values from -1 to 1; two even images give 1 where they have the same colour, else 0.
    """
    a, b = (thumbs.reshape(len(thumbs), SIDE * SIDE * 3).astype(np.float64) for thumbs in (first, second))
    a_0, b_0 = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    norms = np.sqrt((a_0**2).sum(axis=1) * (b_0**2).sum(axis=1))
    even = np.abs(a - b).mean(axis=1) < 4.0
    like: npt.NDArray[np.float64] = np.where(
        norms > 1e-6, (a_0 * b_0).sum(axis=1) / np.maximum(norms, 1e-6), even.astype(np.float64)
    )
    return like


def clusters(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Number of the cluster of each of `count` things, named by its lowest member; pairs join clusters."""
    root = list(range(count))

    def find(number: int) -> int:
        while root[number] != number:
            root[number] = root[root[number]]
            number = root[number]
        return number

    for i, j in pairs:
        a, b = find(i), find(j)
        root[max(a, b)] = min(a, b)
    return [find(index) for index in range(count)]
