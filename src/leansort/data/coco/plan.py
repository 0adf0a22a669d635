"""What would be cut from COCO files: every check that decodes no photo, in arrays, as there may be a million boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leansort.core.errors import UserError
from leansort.core.labels import LabelSet, count_respelled, normalize_name, require_distinct
from leansort.data.coco import records
from leansort.data.coco.annotation_files import AnnotationFile
from leansort.data.coco.box_forms import Part, require_pixels
from leansort.data.coco.frames import NOT_A_BOX, Boxes, Frames, box_of, crop_frames
from leansort.data.coco.photos import Photo, Photos
from leansort.data.coco.records import CocoFile
from leansort.data.importing.category_map import DROPPED, CategoryMap
from leansort.data.importing.class_selection import RESPELLED
from leansort.data.quality.issues import Issues

CROWD, DOUBLED = "crowd, not one object (--crowds takes it as one)", "same box twice"
TWO_LABELS, TWO_SIZES = "one box with two labels", "photo has another size in an earlier record"
MERGED, EMPTY = "categories of one name, taken as one", "annotation files without annotations"
QUOTED = "photos whose names are written as in a URL (%20), taken as meant"


@dataclass(frozen=True)
class Reading:
    """How annotations are read.

    Attributes:
        polygons: take the bounds of polygons and masks rather than `bbox`.
        crowds: take annotations that are marked as crowds, as CVAT marks what is drawn with its brush.
        bare_names: take the last part of every photo's name.
    """

    polygons: bool = False
    crowds: bool = False
    bare_names: bool = False


@dataclass(frozen=True)
class CropPlan:
    """All boxes that are to be cut.

    Attributes:
        photos: the photos, boxes or none.
        missing: how many of the photos are not there.
        labels: the classes.
        photo: (n,) index of each box's photo, rising.
        label: (n,) class of each box.
        boxes: (n, 4) x, y, width, height as annotated.
        ids: the n annotation ids as text.
        annotations: how many annotations the files hold.
        dropped: annotations of each category that the map drops.
        faults: annotations that cannot be used, by kind.
        notes: what was found of whole files and categories.
    """

    photos: list[Photo]
    missing: int
    labels: LabelSet
    photo: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    boxes: Boxes
    ids: list[str]
    annotations: int
    dropped: Counter[str]
    faults: Issues
    notes: dict[str, Any]

    def frames(self, margin: float, least: int) -> Frames:
        """Rectangles at the photos' annotated sizes."""
        return crop_frames(self.boxes, _sizes(self.photos)[self.photo], margin, least)


class _PlanBuilder:
    """The boxes as they are met, and what became of the others."""

    def __init__(self, reading: Reading, chosen: dict[str, int]) -> None:
        self.photo: list[int] = []
        self.label: list[int] = []
        self.box: list[tuple[float, float, float, float]] = []
        self.ids: list[str] = []
        self.parts: list[Part] = []  # which boxes are of which file
        self.dropped = Counter[str]()
        self.written = Counter[str]()  # boxes of each category, as the files spell it
        self.faults = Issues()
        self._reading, self._chosen = reading, chosen

    def take(self, coco: CocoFile, numbers: dict[Any, int], odd: set[Any], photos: Sequence[Photo]) -> None:
        """Go through the annotations of one file.

        Args:
            coco: the file.
            numbers: the photo of each image id.
            odd: image ids whose record gives another size than the photo has.
            photos: all photos.
        """
        categories = {category.id: category.name for category in coco.categories}
        start = len(self.box)
        for annotation in coco.annotations:
            category = categories[annotation.category_id]
            if self._chosen[category] == DROPPED:
                self.dropped[category] += 1
                continue
            number = numbers[annotation.image_id]
            crowd = not self._reading.crowds and annotation.iscrowd in (1, True, "1", "true")
            box = None if crowd else box_of(annotation, self._reading.polygons)
            if box is None or annotation.image_id in odd:
                kind = CROWD if crowd else NOT_A_BOX if box is None else TWO_SIZES
                self.faults.add(kind, f"{coco.path.name}: annotation {annotation.id} in {photos[number].name}")
                continue
            self.written[category] += 1
            self.photo.append(number)
            self.label.append(self._chosen[category])
            self.box.append(box)
            self.ids.append(str(annotation.id))
        self.parts.append((coco.path, slice(start, len(self.box))))


def plan_crops(
    files: Sequence[AnnotationFile], category_map: CategoryMap | None, where: str, reading: Reading
) -> CropPlan:
    """Read annotation files and list the boxes to cut.

    Args:
        files: the annotation files.
        category_map: which category becomes which class; None makes every category a class.
        where: names the map in errors.
        reading: how to read them.

    Raises:
        UserError: not COCO, ids are doubled or dangling, a file name leaves the folder of the photos, two files put
            a photo on two splits, two categories differ in case only, all boxes of a file are no x, y, width, height
            in pixels, or the map does not fit.
    """
    read = [records.read_coco(file.path) for file in files]
    names = {category.name: None for coco in read for category in sorted(coco.categories, key=_by_id)}
    notes: dict[str, Any] = {}
    for coco in read:
        _require_sound(coco, category_map, notes)
    classes = category_map.labels if category_map else tuple(dict.fromkeys(map(normalize_name, names)))
    chosen = (
        category_map.resolve(names, where) if category_map else {n: classes.index(normalize_name(n)) for n in names}
    )
    shown = ", ".join(str(file.path) for file in files[:3]) + ", …" * (len(files) > 3)
    labels = LabelSet.of(classes, f"annotations: categories of {shown}")
    photos, result = Photos(files, bare_names=reading.bare_names), _PlanBuilder(reading, chosen)
    placed = [photos.add(coco.images, file) for coco, file in zip(read, files, strict=True)]
    photos.require_no_leak()
    for coco, (numbers, odd) in zip(read, placed, strict=True):
        result.take(coco, numbers, odd, photos.photos)
    require_distinct((classes[k] for k in sorted(set(result.label))), f"annotations: categories of {shown}")
    told = [f"{item}, {times} boxes" for item, times in count_respelled(result.written.elements()).items()]
    notes |= {RESPELLED: told} if told else {}
    notes |= {QUOTED: photos.quoted} if photos.quoted else {}
    empty = [str(coco.path) for coco in read if not coco.annotations]
    notes |= {EMPTY: empty} if empty else {}
    return _sorted(photos, labels, result, sum(len(coco.annotations) for coco in read), notes)


def _by_id(category: Any) -> tuple[bool, Any]:
    return isinstance(category.id, str), category.id


def _require_sound(coco: CocoFile, category_map: CategoryMap | None, notes: dict[str, Any]) -> None:
    known = category_map.doubled_annotation_ids if category_map else ()
    records.require_unique((image.id for image in coco.images), coco.path, "images")
    records.require_unique((category.id for category in coco.categories), coco.path, "categories")
    records.require_unique((a.id for a in coco.annotations), coco.path, "annotations", known)
    records.require_known(coco)
    _merge_names(coco, category_map is None, notes)


def _merge_names(coco: CocoFile, refuse: bool, notes: dict[str, Any]) -> None:
    """Name the categories of one name; without a map to say so, several of them that have boxes are refused.

    A category of a class's name and without boxes is Roboflow's, which groups the others under the project's name.
    """
    doubled = [name for name, n in Counter(category.name for category in coco.categories).items() if n > 1]
    used = {annotation.category_id for annotation in coco.annotations} if doubled else set()
    for name in doubled:
        ids = [category.id for category in coco.categories if category.name == name]
        if refuse and len(used.intersection(ids)) > 1:
            shown = ", ".join(map(str, ids))
            raise UserError(
                f"annotations: {coco.path}: the categories with ids {shown} are all called {name!r}; give them names "
                "of their own in the file, or a category map (--map), which takes them as one"
            )
        notes.setdefault(MERGED, {})[name] = ", ".join(f"id {item}" for item in ids)


def _sizes(photos: Sequence[Photo]) -> Boxes:
    return np.array([(photo.width, photo.height) for photo in photos], np.float64).reshape(-1, 2)


def _sorted(photos: Photos, labels: LabelSet, result: _PlanBuilder, total: int, notes: dict[str, Any]) -> CropPlan:
    """Order by photo, and take out boxes that are there twice."""
    photo, label = np.asarray(result.photo, np.int64), np.asarray(result.label, np.int64)
    boxes = np.asarray(result.box, np.float64).reshape(-1, 4)
    require_pixels(result.parts, boxes, _sizes(photos.photos)[photo], result.ids)
    kind = _doubled(photo, label, boxes)
    for index in np.flatnonzero(kind):
        place = f"annotation {result.ids[index]} in {photos.photos[photo[index]].name}"
        result.faults.add((DOUBLED, TWO_LABELS)[kind[index] - 1], place)
    keep = np.flatnonzero(kind == 0)
    keep = keep[np.argsort(photo[keep], kind="stable")]
    return CropPlan(
        photos.photos,
        photos.missing,
        labels,
        photo[keep],
        label[keep],
        boxes[keep],
        [result.ids[index] for index in keep],
        total,
        result.dropped,
        result.faults,
        notes,
    )


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
