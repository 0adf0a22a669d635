"""`data check`: what is wrong with the images of a data set, and which of them are there twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leansort.core.damage.watch import watch_images
from leansort.core.labels import LabelSet
from leansort.core.manifest import SPLITS, Row
from leansort.data.quality import image_alignment
from leansort.data.quality.histogram import ASPECTS, SIDES, histogram
from leansort.data.quality.image_inspection import DAMAGED, UNREADABLE, ImageInspection, inspect_image, stack_thumbnails
from leansort.data.quality.issues import Issues
from leansort.data.quality.near_duplicates import correlation, near_pairs, perceptual_hashes
from leansort.data.splits import groups_across_splits

ProgressCallback = Callable[[int, int], None]
CHANGED = "changed since the import"
TORN = "group on both sides of a split"
LIKE_ENOUGH = 0.75  # correlation of thumbnails under which a pair is not worth aligning


@dataclass(frozen=True)
class DuplicatePair:
    """Two images that show the same.

    Attributes:
        first: index of a row.
        second: index of a later row.
        kind: `exact` (equal files) or `near`.
        likeness: correlation after alignment, 0 to 1.
        across: they are in different splits.
        conflict: they have different labels.
    """

    first: int
    second: int
    kind: str
    likeness: float
    across: bool
    conflict: bool


@dataclass(frozen=True)
class DatasetCheck:
    """What a check found.

    Attributes:
        rows: the images that were checked.
        labels: their classes.
        pairs: exact and near duplicates, across splits first.
        faults: findings about single images and groups, by kind.
        counts: images by split and class.
        imbalance: crops of the most frequent class over those of the rarest, by split.
        longer_sides: histogram of the longer side in pixels.
        aspects: histogram of width over height.
    """

    rows: tuple[Row, ...]
    labels: LabelSet
    pairs: list[DuplicatePair]
    faults: Issues
    counts: dict[str, dict[str, int]]
    imbalance: dict[str, float]
    longer_sides: dict[str, int]
    aspects: dict[str, int]

    @property
    def leaks(self) -> int:
        """Pairs across splits, and groups on both sides of one."""
        return sum(pair.across for pair in self.pairs) + self.faults.counts[TORN]

    @property
    def unusable(self) -> int:
        """Images that cannot be read, or are damaged."""
        return self.faults.counts[UNREADABLE] + self.faults.counts[DAMAGED]


def check_dataset(
    rows: Sequence[Row],
    labels: LabelSet,
    root: Path,
    *,
    radius: int | None = None,
    progress: ProgressCallback | None = None,
) -> DatasetCheck:
    """Look at every image once and compare all with all.

    Args:
        rows: the images; an empty `hash` is not compared with the file.
        labels: their classes.
        root: the folder that the rows' names are relative to.
        radius: bits in which the perceptual hashes of a near pair may differ; None: 14 for up to 20,000 images, and
            10, which is far faster and finds nearly as many, for more.
        progress: called with (done, all).

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    looks, faults = _looks(rows, root, progress), Issues()
    for row, look in zip(rows, looks, strict=True):
        for kind, detail in look.findings:
            faults.add(kind, f"{row.image} ({detail})" if detail else row.image)
        if row.hash and look.hash and row.hash != look.hash:
            faults.add(CHANGED, row.image)
    for group in groups_across_splits(rows):
        faults.add(TORN, group)
    pairs = [_pair(rows, looks, first, second, like) for first, second, like in _same(rows, looks, root, radius)]
    pairs.sort(key=lambda pair: (not pair.across, not pair.conflict, -pair.likeness, pair.first, pair.second))
    return DatasetCheck(tuple(rows), labels, pairs, faults, *_tables(rows, labels, looks))


def _looks(rows: Sequence[Row], root: Path, progress: ProgressCallback | None) -> list[ImageInspection]:
    looks = []
    with watch_images() as watch, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for item in pool.map(lambda row: inspect_image(root / row.image, watch), rows):
            looks.append(item)
            if progress:
                progress(len(looks), len(rows))
    return looks


def _same(
    rows: Sequence[Row], looks: list[ImageInspection], root: Path, radius: int | None
) -> list[tuple[int, int, float]]:
    """Pairs that show the same: by hash, then by thumbnail, then aligned at a larger size."""
    readable = np.flatnonzero([look.thumb is not None for look in looks])
    thumbs = stack_thumbnails(looks)
    if radius is None:
        radius = 14 if len(thumbs) <= 20_000 else 10
    pairs = near_pairs(perceptual_hashes(thumbs), radius) if len(thumbs) else np.zeros((0, 2), np.int64)
    pairs = pairs[correlation(thumbs[pairs[:, 0]], thumbs[pairs[:, 1]]) >= LIKE_ENOUGH]
    named = readable[pairs]
    likes = image_alignment.show_same_object([(root / rows[i].image, root / rows[j].image) for i, j in named])
    return [
        (int(i), int(j), 1.0 if looks[i].hash == looks[j].hash else like)
        for (i, j), like in zip(named, likes, strict=True)
        if like or looks[i].hash == looks[j].hash
    ]


def _pair(rows: Sequence[Row], looks: list[ImageInspection], first: int, second: int, like: float) -> DuplicatePair:
    kind = "exact" if looks[first].hash == looks[second].hash else "near"
    a, b = rows[first], rows[second]
    return DuplicatePair(first, second, kind, like, a.split != b.split, a.label != b.label)


def _tables(
    rows: Sequence[Row], labels: LabelSet, looks: list[ImageInspection]
) -> tuple[dict[str, dict[str, int]], dict[str, float], dict[str, int], dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for split in dict.fromkeys([*SPLITS, *(row.split for row in rows)]):
        of_split = np.bincount([row.label for row in rows if row.split == split], minlength=len(labels))
        if of_split.any():
            counts[split] = dict(zip(labels.names, of_split.tolist(), strict=True))
    sizes = np.array([(look.width, look.height) for look in looks if look.width], np.float64).reshape(-1, 2)
    imbalance = {split: round(max(of.values()) / max(1, min(of.values())), 2) for split, of in counts.items()}
    longer_sides = histogram(sizes.max(axis=1, initial=0), SIDES)
    return counts, imbalance, longer_sides, histogram(sizes[:, 0] / np.maximum(1, sizes[:, 1]), ASPECTS)
