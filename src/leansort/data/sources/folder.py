"""Class folders: `ROOT/<split>/<class>/…`, `ROOT/<class>/<split>/…`, or `ROOT/<class>/…` without given splits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from leansort.core.errors import UserError
from leansort.core.folders.archives import require_unpacked
from leansort.core.folders.class_folders import LISTED, PlacedImage, find_class_folders
from leansort.core.labels import LabelSet, normalize_name
from leansort.core.strict_model import StrictModel
from leansort.data.coco import layouts
from leansort.data.importing import category_map
from leansort.data.importing.category_map import apply_category_map
from leansort.data.importing.data_source import DataSource, ProgressCallback
from leansort.data.importing.items import MAP, Item, Items, count_items
from leansort.data.importing.safe_paths import printable_name
from leansort.data.quality.issues import Issues

EMPTY = "class folder without pictures"
NAMELESS = "name is not UTF-8, ignored"
WRAPPER = "folder that everything lies in"


class FolderConfig(StrictModel):
    """Where the folders are.

    Attributes:
        path: the folder that holds the split folders, or the class folders.
        labels: class order; None takes the folder names in alphabetical order.
        map: category map that turns folder names into classes: a file, or a name of the package.
        tolerate: fraction of the images that may be unreadable; they are left out and named.
    """

    path: Path
    labels: tuple[str, ...] | None = None
    map: category_map.CategoryMapPath | None = None
    tolerate: float = Field(default=0.01, ge=0.0, le=1.0)


class FolderSource(DataSource[FolderConfig]):
    """Takes images from class folders."""

    Config = FolderConfig

    def items(self, advance: ProgressCallback | None = None) -> Items:
        """List the images of every class folder.

        Raises:
            UserError: the folder is missing, is an archive, holds COCO files or no class folder, its layout may mean
                several things, or a class is not among `labels`.
        """
        config = self.config
        require_unpacked(config.path, "data folder")
        layout = layouts.recognize_layout(config.path)
        if layout and layout.kind != layouts.SINGLE:
            raise UserError(
                f"data folder: {config.path} is {layout.kind}, not class folders; read it with the source coco"
            )
        result = find_class_folders(config.path, _named(config))
        if len(result.classes) < 2 and not config.labels:
            raise UserError(
                f"data folder: {config.path} has one class folder, {result.classes[0]!r}, need at least two{LISTED}"
            )
        classes = (
            map(normalize_name, config.labels)
            if config.labels
            else sorted({normalize_name(name) for name in result.classes})
        )
        labels = LabelSet.of(classes, f"class folders of {config.path}")
        for name in dict.fromkeys(picture.label for picture in result.images):
            labels.index(name, f"class folder {name} of {config.path}")
        faults = Issues()
        for entry in result.passed_over:
            faults.add(f"{entry.kind}, ignored", entry.name)
        for name in result.empty:
            faults.add(EMPTY, name)
        listed = [item for picture in result.images if (item := _item(picture, config.path, faults))]
        notes: dict[str, Any] = dict(faults.counts) | ({WRAPPER: result.wrapper} if result.wrapper else {})
        return apply_category_map(Items(listed, labels, config.path, notes, faults), config.map).having_read(
            {config.map: MAP}
        )

    def inputs(self) -> Mapping[Path, str]:
        """The files that an import reads.

        Raises:
            UserError: as `items` does.
        """
        return self.items().inputs or {}

    def survey(self) -> dict[str, Any]:
        """Counts from the folders alone; no image is opened.

        Raises:
            UserError: as `items` does.
        """
        return count_items(self.items())


def _named(config: FolderConfig) -> tuple[str, ...]:
    """Folders that the user says are classes."""
    chosen = category_map.load(config.map) if config.map else None
    mapped = [name for names in chosen.map.values() for name in names] if chosen else []
    return (*(config.labels or ()), *mapped, *(chosen.drop if chosen else ()))


def _item(placed: PlacedImage, root: Path, faults: Issues) -> Item | None:
    """The image as an item; None, and counted, where its name cannot be stored."""
    name = placed.file.relative_to(root).as_posix()
    if printable_name(name) != name:
        faults.add(NAMELESS, printable_name(name))
        return None
    return Item(placed.file, placed.label, placed.split, group=name, source=name)
