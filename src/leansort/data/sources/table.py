"""A list of pictures: CSV or Parquet with the columns image and label, and where there are some split and group."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from leansort.core.errors import MissingExtraError, UserError, not_one_of
from leansort.core.labels import LabelSet
from leansort.core.manifest import SPLITS
from leansort.data.category_map import relabelled
from leansort.data.items import Item, Items, count
from leansort.data.names import safe_name

NEEDED, OPTIONAL = ("image", "label"), ("split", "group")


class Config(BaseModel):
    """Where the list and the pictures are.

    Attributes:
        path: the list, `.csv` (comma, semicolon or tab) or `.parquet`.
        images: the folder that the names are relative to; None: the list's own folder.
        labels: class order; None takes the names in alphabetical order.
        map: category map file that turns the list's labels into classes.
        tolerate: share of the pictures that may be missing or unreadable; they are left out and named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    path: Path
    images: Path | None = None
    labels: tuple[str, ...] | None = None
    map: Path | None = None
    tolerate: float = Field(default=0.01, ge=0.0, le=1.0)


def items(config: Config) -> Items:
    """Read the list.

    Raises:
        UserError: it cannot be read, lacks a column, or a row has an unknown label or split, or a name that leaves
            the folder of the pictures.
        MissingExtraError: the list is Parquet and pyarrow is not installed.
    """
    root = config.images or config.path.parent
    if not config.path.is_file():
        raise UserError(f"table: {config.path} is not there")
    rows = _parquet(config.path) if config.path.suffix.lower() == ".parquet" else _csv(config.path)
    labels = LabelSet.of(config.labels or sorted({row["label"] for row in rows}), f"table: labels of {config.path}")
    listed = [_item(row, number, labels, root, config.path) for number, row in enumerate(rows, 1)]
    return relabelled(Items(listed, labels, root), config.map)


def survey(config: Config) -> dict[str, Any]:
    """Counts from the list alone; no picture is opened.

    Raises:
        UserError: as `items` does.
    """
    return count(items(config))


def _csv(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=head.count)
            reader = csv.DictReader(file, delimiter=delimiter, strict=True)
            _require_columns(reader.fieldnames or [], path)
            return [{key: value or "" for key, value in row.items() if key} for row in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"table: {path} is not CSV ({error})") from None


def _parquet(path: Path) -> list[dict[str, str]]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError("pyarrow", "train") from None
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        raise UserError(f"table: {path} is not Parquet ({' '.join(str(error).split())[:120]})") from None
    _require_columns(table.column_names, path)
    kept = table.select([name for name in table.column_names if name in NEEDED + OPTIONAL])
    return [{key: "" if value is None else str(value) for key, value in row.items()} for row in kept.to_pylist()]


def _require_columns(names: Any, path: Path) -> None:
    missing = [name for name in NEEDED if name not in names]
    if missing:
        has = ", ".join(map(repr, names)) or "none"
        raise UserError(f"table: {path} lacks the column {missing[0]!r}; it has {has}")


def _item(row: dict[str, str], number: int, labels: LabelSet, root: Path, path: Path) -> Item:
    where = f"table: {path} row {number}"
    labels.index(row["label"], f"{where}: label")
    split = row.get("split") or None
    if split is not None and split not in SPLITS:
        raise not_one_of(f"{where}: split", split, SPLITS)
    name = safe_name(row["image"], where, root)
    return Item(root / name, row["label"], split, group=row.get("group") or name, source=name)
