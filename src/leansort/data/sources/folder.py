"""Class folders: `ROOT/<split>/<class>/*.jpg`, or `ROOT/<class>/*.jpg` without given splits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import SUFFIXES
from leansort.data.items import Item, Items

SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "test": "test"}


class Config(BaseModel):
    """Where the folders are.

    Attributes:
        path: the folder that holds the split folders, or the class folders.
        labels: class order; None takes the folder names in alphabetical order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    labels: tuple[str, ...] | None = None


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
    listed = [item for place, split in places for item in _of_place(place, split, labels, root)]
    if not listed:
        raise UserError(f"data folder: {root} holds no pictures ({', '.join(SUFFIXES)}) in class folders")
    return Items(listed, labels, root)


def _classes(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))


def _of_place(place: Path, split: str | None, labels: LabelSet, root: Path) -> Iterator[Item]:
    for folder in _classes(place):
        labels.index(folder.name, f"class folder {folder}")
        for image in sorted(folder.rglob("*")):
            if image.suffix.lower() in SUFFIXES and image.is_file():
                name = image.relative_to(root).as_posix()
                yield Item(image, folder.name, split, group=name, source=name)
