"""Class folders: `ROOT/<split>/<class>/*.jpg`, or `ROOT/<class>/*.jpg` without given splits."""

from __future__ import annotations

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

SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "test": "test"}
OTHER = "not a picture by its ending, ignored"
EMPTY = "class folder without pictures"


class Config(BaseModel):
    """Where the folders are.

    Attributes:
        path: the folder that holds the split folders, or the class folders.
        labels: class order; None takes the folder names in alphabetical order.
        map: category map file that turns folder names into classes.
        tolerate: share of the pictures that may be unreadable; they are left out and named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    splits = {name: split for name, split in SPLIT_FOLDERS.items() if (root / name).is_dir()}
    if "val" in splits and "valid" in splits:
        raise UserError(f"data folder: {root} has both 'val' and 'valid'; keep one")
    places: list[tuple[Path, str | None]] = [(root / name, split) for name, split in splits.items()]
    places = places or [(root, None)]
    labels = LabelSet.of(config.labels or sorted({folder.name for place, _ in places for folder in _classes(place)}))
    faults = Faults()
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


def _classes(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))


def _of_place(place: Path, split: str | None, labels: LabelSet, root: Path, faults: Faults) -> Iterator[Item]:
    for folder in _classes(place):
        labels.index(folder.name, f"class folder {folder}")
        kinds = Counter[bool]()
        for image in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
            name = image.relative_to(root).as_posix()
            kinds[image.suffix.lower() in SUFFIXES] += 1
            if image.suffix.lower() in SUFFIXES:
                yield Item(image, folder.name, split, group=name, source=name)
            else:
                faults.add(OTHER, name)
        if not kinds[True]:
            faults.add(EMPTY, folder.relative_to(root).as_posix())
