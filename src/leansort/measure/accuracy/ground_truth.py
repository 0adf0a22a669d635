"""What the right answers are: from a manifest, class folders, or a CSV list."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from leansort.core import manifest as manifests
from leansort.core.errors import UserError
from leansort.core.folders.class_folders import find_class_folders
from leansort.core.folders.image_files import NamedFiles, summarize_passed_over
from leansort.core.labels import LabelSet, count_respelled, normalize_name, require_distinct
from leansort.core.run_folder import DataFolder
from leansort.core.text.name_lists import file_name
from leansort.core.text.table_files import is_csv, read_csv
from leansort.measure.accuracy.image_names import image_names


@dataclass(frozen=True)
class GroundTruth:
    """Right answers by image.

    Attributes:
        labels: the classes.
        index: class index by name of the image (see `image_names`).
        files: where each image lies; empty where only names are known.
        where: what it was read from, for messages.
        more: further classes that answers may name: None for any, as what it was read from lists no classes; else the
            class folders without an image.
        notes: what was left out of it and how labels were taken, a line each.
    """

    labels: LabelSet
    index: dict[str, int]
    files: dict[str, Path]
    where: str
    more: tuple[str, ...] | None = ()
    notes: tuple[str, ...] = ()

    def only(self, names: Iterable[str], what: str) -> GroundTruth:
        """Keep the listed images.

        Raises:
            UserError: a listed image is not known, or none is listed.
        """
        wanted = list(names)
        unknown = [name for name in wanted if name not in self.index]
        if unknown or not wanted:
            raise UserError(f"{what}: {len(unknown)} of {len(wanted)} names are not in {self.where}: {unknown[:3]}")
        return replace(self, index={name: self.index[name] for name in wanted})

    def among(self, answers: Iterable[str]) -> GroundTruth:
        """The same with those classes of these answers that it may have, too, although no image shows them.

        Raises:
            UserError: an answer differs from a class in case only.
        """
        named = {normalize_name(answer) for answer in answers}
        more = named if self.more is None else named.intersection(self.more)
        if more <= set(self.labels.names):
            return self
        names = sorted({*self.labels.names, *more})
        require_distinct(names, f"answers for {self.where}")
        index = {name: names.index(self.labels.names[at]) for name, at in self.index.items()}
        return replace(self, labels=LabelSet.of(names, self.where), index=index)


def read_ground_truth(path: Path, split: str = "test", labels: LabelSet | None = None) -> GroundTruth:
    """Read the right answers.

    Args:
        path: a manifest (file or folder), a folder of class folders, or a CSV with columns `image,label`.
        split: which split of a manifest, and of class folders where these give splits.
        labels: the class order, needed for a CSV; for class folders, whose names must be among them.

    Raises:
        UserError: nothing usable there, unknown classes, or one file name twice.
    """
    if is_csv(path) and path.is_file():
        return _from_csv(path, labels)
    if path.is_dir() and not DataFolder(path).manifest.exists():
        return _from_folders(path, split, labels)
    if path.is_file() and path.suffix.lower() == ".txt":
        raise UserError(f"truth: {path} is no table by its name; give a .csv or .tsv whose first row is image,label")
    manifest = manifests.load(path)
    rows = manifest.split(split)
    pairs = [(manifest.path(row), row.label) for row in rows]
    return _build(pairs, manifest.labels, f"{path} ({split})")


def _from_folders(root: Path, split: str, labels: LabelSet | None) -> GroundTruth:
    result = find_class_folders(root, labels.names if labels else ())
    splits = sorted({picture.split for picture in result.images if picture.split})
    pictures = [picture for picture in result.images if picture.split in (None, split)]
    if not pictures:
        raise UserError(f"truth: {root} has no pictures of the split {split!r}; it has {', '.join(splits)}")
    written = [picture.label for picture in pictures]
    empty = sorted(set(result.classes).difference(written))
    few = len({normalize_name(name) for name in written}) < 2  # the empty ones then tell what else there is
    known = labels or _labels([*written, *empty] if few else written, str(root))
    pairs = [
        (picture.file, known.index(picture.label, f"class folder {picture.label} of {root}")) for picture in pictures
    ]
    notes = [f"ground truth: class folder '{name}' has no picture and was left out" for name in empty]
    notes += [f"ground truth: {line}" for line in [summarize_passed_over(result.passed_over)] if line]
    truth = _build(pairs, known, f"{root} ({split})" if splits else str(root))
    return replace(
        truth,
        more=tuple(map(normalize_name, empty)) if labels is None else (),
        notes=(*notes, *_respelling_notes(written)),
    )


def _labels(written: Iterable[str], where: str) -> LabelSet:
    """The classes that labels stand for, in alphabetical order."""
    names = sorted({normalize_name(name) for name in written})
    require_distinct(names, f"truth: labels of {where}")
    return LabelSet.of(names, f"truth: labels of {where}")


def _respelling_notes(written: Iterable[str]) -> list[str]:
    return [
        f"ground truth: {told}, {times} crop{'s' * (times > 1)}" for told, times in count_respelled(written).items()
    ]


def _from_csv(path: Path, labels: LabelSet | None) -> GroundTruth:
    table = read_csv(path, "truth", ("image", "label"))
    if not table.rows:
        raise UserError(f"truth: {path} has no row below its header")
    written = [row["label"] for _, row in table.rows]
    known = labels or _labels(written, str(path))
    names = [file_name(row["image"], lambda name: os.path.lexists(path.parent / name)) for _, row in table.rows]
    indices = [known.index(row["label"], f"{table.where} row {number}") for number, row in table.rows]
    files = NamedFiles(path.parent)
    pairs = [(files.path(name), index) for name, index in zip(names, indices, strict=True)]
    truth = _build(pairs, known, str(path))
    return replace(truth, more=None if labels is None else (), notes=tuple(_respelling_notes(written)))


def _build(pairs: list[tuple[Path, int]], labels: LabelSet, where: str) -> GroundTruth:
    names = image_names([image for image, _ in pairs]) if pairs else []
    doubled = manifests.duplicates(names)
    if doubled or not pairs:
        raise UserError(f"truth: {where} " + (f"has {doubled[0]} twice" if doubled else "holds no pictures"))
    index = {name: label for name, (_, label) in zip(names, pairs, strict=True)}
    return GroundTruth(labels, index, {name: image for name, (image, _) in zip(names, pairs, strict=True)}, where)
