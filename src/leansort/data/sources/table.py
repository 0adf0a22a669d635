"""A list of images: CSV or Parquet with the columns image and label, and where there are some split and group."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from leansort.core.errors import MissingExtraError, UserError, not_one_of, one_line
from leansort.core.folders.image_files import NamedFiles
from leansort.core.labels import LabelSet, normalize_name
from leansort.core.manifest import SPLITS
from leansort.core.strict_model import StrictModel
from leansort.core.text.name_lists import file_name
from leansort.core.text.table_files import Table, find_columns, read_csv, require_values
from leansort.data.importing.category_map import CategoryMapPath, apply_category_map
from leansort.data.importing.data_source import DataSource, ProgressCallback
from leansort.data.importing.items import MAP, Item, Items, count_items
from leansort.data.importing.safe_paths import safe_name

NEEDED, OPTIONAL = ("image", "label"), ("split", "group")


class TableConfig(StrictModel):
    """Where the list and the images are.

    Attributes:
        path: the list, `.parquet` or else CSV (comma, semicolon or tab).
        images: the folder that the names are relative to; None: the list's own folder.
        labels: class order; None takes the names in alphabetical order.
        map: category map that turns the list's labels into classes: a file, or a name of the package.
        tolerate: fraction of the images that may be missing or unreadable; they are left out and named.
    """

    path: Path
    images: Path | None = None
    labels: tuple[str, ...] | None = None
    map: CategoryMapPath | None = None
    tolerate: float = Field(default=0.01, ge=0.0, le=1.0)


class TableSource(DataSource[TableConfig]):
    """Takes images from a list in CSV or Parquet."""

    Config = TableConfig

    def items(self, advance: ProgressCallback | None = None) -> Items:
        """Read the list.

        Raises:
            UserError: it cannot be read, lacks a column, or a row has other fields than the header, an unknown label or
                split, or a name that leaves the folder of the images.
            MissingExtraError: the list is Parquet and pyarrow is not installed.
        """
        config = self.config
        root = config.images or config.path.parent
        if not config.path.is_file():
            raise UserError(f"table: {config.path} is not there")
        table = (_parquet if config.path.suffix.lower() == ".parquet" else _csv)(config.path)
        written = sorted({normalize_name(row["label"]) for _, row in table.rows})
        labels = LabelSet.of(
            map(normalize_name, config.labels) if config.labels else written,
            f"table: labels of {config.path}",
        )
        files = NamedFiles(root)
        listed = [_item(row, f"{table.where} row {number}", labels, files) for number, row in table.rows]
        notes: dict[str, Any] = {"blank rows": table.blank} if table.blank else {}
        notes |= {"columns not used": table.unused} if table.unused else {}
        result = apply_category_map(Items(listed, labels, root, notes), config.map)
        return result.having_read({config.path: "list", config.map: MAP})

    def inputs(self) -> Mapping[Path, str]:
        """The files that an import reads.

        Raises:
            UserError: as `items` does.
        """
        return self.items().inputs or {}

    def survey(self) -> dict[str, Any]:
        """Counts from the list alone; no image is opened.

        Raises:
            UserError: as `items` does.
        """
        return count_items(self.items())


def _csv(path: Path) -> Table:
    return read_csv(path, "table", NEEDED, OPTIONAL)


def _parquet(path: Path) -> Table:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError("pyarrow", "train") from None
    try:
        read = parquet.read_table(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        raise UserError(f"table: {path} is not Parquet ({one_line(error, 120)})") from None
    where, names = f"table: {path}", read.column_names
    columns = find_columns(names, NEEDED, OPTIONAL, where)
    result = {
        name: ["" if item is None else str(item) for item in read.column(at).to_pylist()]
        for name, at in columns.items()
    }
    rows = [
        (number, dict(zip(result, row, strict=True)))
        for number, row in enumerate(zip(*result.values(), strict=True), 1)
    ]
    for number, row in rows:
        require_values(row, NEEDED, f"{where} row {number}")
    return Table(where, rows, 0, [name for at, name in enumerate(names) if at not in columns.values()])


def _item(row: dict[str, str], where: str, labels: LabelSet, files: NamedFiles) -> Item:
    labels.index(row["label"], f"{where}: label")
    split = row.get("split") or None
    if split is not None and split not in SPLITS:
        raise not_one_of(f"{where}: split", split, SPLITS)
    name = _name(row["image"], where, files.root)
    return Item(files.path(name), row["label"], split, group=row.get("group") or name, source=name)


def _name(value: str, where: str, root: Path) -> str:
    """An image's name below `root`, with forward slashes; a backslash stays where the file has one in its name."""
    meant = file_name(value, lambda name: os.path.lexists(root / name))
    safe = safe_name(meant, where, root)
    return meant if "\\" in meant and meant[0] != "/" and os.path.lexists(root / meant) else safe
