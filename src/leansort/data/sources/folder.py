"""Class folders: `ROOT/<split>/<class>/*.jpg`, or `ROOT/<class>/*.jpg` without given splits."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import SUFFIXES
from leansort.data.category_map import relabelled
from leansort.data.faults import Faults
from leansort.data.items import Item, Items, count
from leansort.data.names import spelled

SPLIT_FOLDERS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
    "testing": "test",
}  # fmt: skip
OTHER = "not a picture by its ending or kind, ignored"
EMPTY = "class folder without pictures"
BESIDE = "not in a class folder, ignored"
NAMELESS = "name is not UTF-8, ignored"


class Config(BaseModel):
    """Where the folders are.

    Attributes:
        path: the folder that holds the split folders, or the class folders.
        labels: class order; None takes the folder names in alphabetical order.
        map: category map file that turns folder names into classes.
        tolerate: share of the pictures that may be unreadable; they are left out and named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    path: Path
    labels: tuple[str, ...] | None = None
    map: Path | None = None
    tolerate: float = Field(default=0.01, ge=0.0, le=1.0)


def items(config: Config) -> Items:
    """List the pictures of every class folder.

    Raises:
        UserError: the folder is missing, holds no class folder, or a class is not among `labels`.
    """
    root = config.path
    if not root.is_dir():
        raise UserError(f"data folder: {root} is not there")
    faults = Faults()
    places = _places(root, faults)
    names = config.labels or sorted({folder.name for place, _ in places for folder in _classes(place)})
    labels = LabelSet.of(names, f"class folders of {root}")
    listed = [item for place, split in places for item in _of_place(place, split, labels, root, faults)]
    if not listed:
        raise UserError(f"data folder: {root} holds no pictures ({', '.join(SUFFIXES)}) in class folders")
    return relabelled(Items(listed, labels, root, dict(faults.counts), faults), config.map)


def survey(config: Config) -> dict[str, Any]:
    """Counts from the folders alone; no picture is opened.

    Raises:
        UserError: as `items` does.
    """
    return count(items(config))


def _places(root: Path, faults: Faults) -> list[tuple[Path, str | None]]:
    """The folders that hold class folders, each with its split."""
    entries = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    places = [(path, SPLIT_FOLDERS[path.name.lower()]) for path in entries if _is_split(path)]
    doubled = [split for split, times in Counter(split for _, split in places).items() if times > 1]
    if doubled:
        both = ", ".join(repr(path.name) for path, split in places if split == doubled[0])
        raise UserError(f"data folder: {root} has {both}, which all mean {doubled[0]}; keep one")
    for path in entries if places else []:
        if not _is_split(path):
            faults.add(BESIDE, spelled(path.name))
    return [*places] or [(root, None)]


def _is_split(path: Path) -> bool:
    return path.name.lower() in SPLIT_FOLDERS and path.is_dir()


def _classes(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))


def _of_place(place: Path, split: str | None, labels: LabelSet, root: Path, faults: Faults) -> Iterator[Item]:
    for stray in sorted(path for path in place.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES):
        faults.add(BESIDE, spelled(stray.relative_to(root).as_posix()))
    for folder in _classes(place):
        labels.index(folder.name, f"class folder {folder}")
        if not os.access(folder, os.R_OK | os.X_OK):
            raise UserError(f"data folder: {folder} may not be read")
        found = 0
        for image in sorted(path for path in folder.rglob("*") if not path.name.startswith(".")):
            item = _item(image, folder.name, split, root, faults)
            found += item is not None
            if item:
                yield item
        if not found:
            faults.add(EMPTY, folder.relative_to(root).as_posix())


def _item(image: Path, label: str, split: str | None, root: Path, faults: Faults) -> Item | None:
    """The picture as an item; None, and counted, where it is something else."""
    name = image.relative_to(root).as_posix()
    if image.is_dir():
        return None  # its files are walked on their own
    if spelled(name) != name:
        faults.add(NAMELESS, spelled(name))
    elif not image.is_file() or image.suffix.lower() not in SUFFIXES:
        faults.add(OTHER, name)
    else:
        return Item(image, label, split, group=name, source=name)
    return None
