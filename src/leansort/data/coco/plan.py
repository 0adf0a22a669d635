"""What would be cut from COCO files: every check that needs no photo, in arrays, as there may be a million boxes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leansort.core.errors import UserError, not_one_of
from leansort.core.labels import LabelSet
from leansort.core.manifest import SPLITS
from leansort.data.category_map import DROPPED, CategoryMap
from leansort.data.coco import records
from leansort.data.coco.frames import FARTHEST, NOT_A_BOX, Boxes, Frames, box_of, frames
from leansort.data.coco.records import Coco
from leansort.data.faults import Faults
from leansort.data.names import safe_name

CROWD, DOUBLED, TWO_LABELS = "crowd, not one object", "same box twice", "one box with two labels"


@dataclass(frozen=True)
class Photo:
    """A photo that boxes are cut from; width and height in pixels as annotated, NaN where not."""

    name: str
    split: str | None
    width: float
    height: float


@dataclass(frozen=True)
class Plan:
    """All boxes that are to be cut.

    Attributes:
        photos: the photos, boxes or none.
        labels: the classes.
        photo: (n,) index of each box's photo, rising.
        label: (n,) class of each box.
        boxes: (n, 4) x, y, width, height as annotated.
        ids: the n annotation ids as text.
        annotations: how many annotations the files hold.
        dropped: annotations of each category that the map drops.
        faults: annotations that cannot be used, by kind.
    """

    photos: list[Photo]
    labels: LabelSet
    photo: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    boxes: Boxes
    ids: list[str]
    annotations: int
    dropped: Counter[str]
    faults: Faults

    def frames(self, margin: float, least: int) -> Frames:
        """Rectangles at the photos' annotated sizes."""
        sizes = np.array([(photo.width, photo.height) for photo in self.photos], np.float64).reshape(-1, 2)
        return frames(self.boxes, sizes[self.photo], margin, least)


@dataclass
class _Found:
    photo: list[int]
    label: list[int]
    box: list[tuple[float, float, float, float]]
    ids: list[str]


def plan(
    files: Sequence[tuple[Path, str | None]], category_map: CategoryMap | None, where: str, *, polygons: bool
) -> Plan:
    """Read annotation files and list the boxes to cut.

    Args:
        files: annotation files, each with the split that it stands for or None.
        category_map: which category becomes which class; None makes every category a class.
        where: names the map in errors.
        polygons: take the bounds of polygons and masks rather than `bbox`.

    Raises:
        UserError: not COCO, ids are doubled or dangling, a file name leaves the folder of the photos, two files put
            a photo on two splits, or the map does not fit.
    """
    read = [records.read(path) for path, _ in files]
    names = {category.name: None for coco in read for category in sorted(coco.categories, key=_by_id)}
    for coco in read:
        _require_sound(coco, category_map.doubled_annotation_ids if category_map else ())
    chosen = category_map.resolve(names, where) if category_map else {name: k for k, name in enumerate(names)}
    labels = LabelSet.of(category_map.labels if category_map else names, f"annotations: categories of {files[0][0]}")
    photos: dict[str, Photo] = {}
    for coco, (_, split) in zip(read, files, strict=True):
        for image in coco.images:
            _add(photos, image, split, coco.path)
    numbers = {name: number for number, name in enumerate(photos)}
    found, faults, dropped = _Found([], [], [], []), Faults(), Counter[str]()
    for coco in read:
        _collect(coco, numbers, chosen, polygons, found, faults, dropped)
    total = sum(len(coco.annotations) for coco in read)
    return _sorted(list(photos.values()), labels, found, faults, dropped, total)


def _by_id(category: Any) -> tuple[bool, Any]:
    return isinstance(category.id, str), category.id


def _require_sound(coco: Coco, known: Sequence[records.Id]) -> None:
    records.require_unique((image.id for image in coco.images), coco.path, "images")
    records.require_unique((category.id for category in coco.categories), coco.path, "categories")
    records.require_unique((a.id for a in coco.annotations), coco.path, "annotations", known)
    records.require_known(coco)
    doubled = [name for name, n in Counter(category.name for category in coco.categories).items() if n > 1]
    if doubled:
        raise UserError(f"annotations: {coco.path}: two categories are called {doubled[0]!r}")


def _add(photos: dict[str, Photo], image: Any, split: str | None, path: Path) -> None:
    name = safe_name(image.file_name, "annotations")
    split = split or image.split
    if split is not None and split not in SPLITS:
        raise not_one_of(f"annotations: {path}: split of image {image.id}", str(split), SPLITS)
    before = photos.get(name)
    if before and before.split != split:
        raise UserError(f"annotations: photo {name!r} is in split {before.split!r} and in {split!r}; it leaks")
    photos[name] = before or Photo(name, split, _side(image.width), _side(image.height))


def _crowd(annotation: Any) -> bool:
    return annotation.iscrowd in (1, True, "1", "true")


def _side(value: Any) -> float:
    usable = isinstance(value, int | float) and 1 <= value <= FARTHEST
    return float(value) if usable else math.nan


def _collect(
    coco: Coco, numbers: dict[str, int], chosen: dict[str, int], polygons: bool,
    found: _Found, faults: Faults, dropped: Counter[str],
) -> None:  # fmt: skip
    names = {image.id: safe_name(image.file_name, "annotations") for image in coco.images}
    categories = {category.id: category.name for category in coco.categories}
    for annotation in coco.annotations:
        category = categories[annotation.category_id]
        if chosen[category] == DROPPED:
            dropped[category] += 1
            continue
        box = None if _crowd(annotation) else box_of(annotation, polygons)
        if box is None:
            kind = CROWD if _crowd(annotation) else NOT_A_BOX
            faults.add(kind, f"{coco.path.name}: annotation {annotation.id} in {names[annotation.image_id]}")
            continue
        found.photo.append(numbers[names[annotation.image_id]])
        found.label.append(chosen[category])
        found.box.append(box)
        found.ids.append(str(annotation.id))


def _sorted(
    photos: list[Photo], labels: LabelSet, found: _Found, faults: Faults, dropped: Counter[str], total: int
) -> Plan:
    """Order by photo, and take out boxes that are there twice."""
    photo, label = np.asarray(found.photo, np.int64), np.asarray(found.label, np.int64)
    boxes = np.asarray(found.box, np.float64).reshape(-1, 4)
    kind = _doubled(photo, label, boxes)
    for index in np.flatnonzero(kind):
        place = f"annotation {found.ids[index]} in {photos[photo[index]].name}"
        faults.add((DOUBLED, TWO_LABELS)[kind[index] - 1], place)
    keep = np.flatnonzero(kind == 0)
    keep = keep[np.argsort(photo[keep], kind="stable")]
    ids = [found.ids[index] for index in keep]
    return Plan(photos, labels, photo[keep], label[keep], boxes[keep], ids, total, dropped, faults)


def _doubled(photo: npt.NDArray[np.int64], label: npt.NDArray[np.int64], boxes: Boxes) -> npt.NDArray[np.int8]:
    """1 for a repetition of a box, 2 for each box that is there under two labels, else 0."""
    edges = np.clip(np.rint(boxes), -1e9, 1e9).astype(np.int64)
    columns = (photo, *edges.T)
    order = np.lexsort(columns)
    new = np.ones(len(order), bool)
    if len(order):
        new[1:] = np.any([column[order][1:] != column[order][:-1] for column in columns], axis=0)
    starts = np.flatnonzero(new)
    group = np.cumsum(new) - 1
    sorted_labels = label[order]
    low = np.minimum.reduceat(sorted_labels, starts) if len(starts) else starts
    high = np.maximum.reduceat(sorted_labels, starts) if len(starts) else starts
    kind = np.zeros(len(order), np.int8)
    kind[order] = np.where((low != high)[group], 2, np.where(new, 0, 1)) if len(order) else 0
    return kind
