"""The manifest: one row a crop, with its label, split and group, and the class order fixed for good.

One Parquet file; the label set and the images' folder travel in its schema metadata, so that the file is
whole by itself and replaced atomically.
"""

from __future__ import annotations

import importlib
import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from leansort.core.errors import IntegrityError, MissingExtraError, UserError, not_one_of
from leansort.core.files import json_documents, parquet_files
from leansort.core.labels import LabelSet
from leansort.core.locations.location import location
from leansort.core.run_folder import DataFolder
from leansort.core.text.text_files import parse_json
from leansort.core.writing import atomic_io

SPLITS = ("train", "val", "test")
_VERSION = 1
_KEY = b"leansort"


class _Meta(TypedDict):
    """What a manifest's file holds beside its rows."""

    __pydantic_config__ = json_documents.OPEN  # type: ignore[misc]

    labels: list[str]
    labels_digest: str
    root: str
    notes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One crop.

    Attributes:
        image: the crop's file, relative to the manifest's root.
        label: class index.
        split: `train`, `val` or `test`.
        group: what must stay on one side of a split, e.g. the photo that the crop was cut from.
        hash: SHA-256 of the crop's file, first 32 hex digits.
        source: the photo that the crop was cut from; equal to `image` where the image is used whole.
        box: x, y, width, height in pixels of `source`, or None where the image is used whole.
    """

    image: str
    label: int
    split: str
    group: str
    hash: str
    source: str
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Manifest:
    """All crops of a data set.

    Attributes:
        rows: the crops, in a fixed order.
        labels: the classes in the order of the network's outputs.
        root: the folder that the rows' paths are relative to.
        notes: what the import counted (skipped, clipped, dropped …).
    """

    rows: tuple[Row, ...]
    labels: LabelSet
    root: Path
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.rows:
            raise UserError("manifest: no crop is left; check the data folder and the category map")

    @property
    def digest(self) -> str:
        """Digest of contents, labels and splits; where the files lie does not enter."""
        rows = [(row.hash, row.label, row.split, row.group) for row in self.rows]
        return atomic_io.digest([rows, list(self.labels.names)])

    def split(self, name: str) -> tuple[Row, ...]:
        """Return the rows of one split.

        Raises:
            UserError: there is no such split, or it is empty here.
        """
        if name not in SPLITS:
            raise not_one_of("split", name, SPLITS)
        rows = tuple(row for row in self.rows if row.split == name)
        if not rows:
            raise UserError(f"manifest: split {name!r} is empty; it has {dict(Counter(r.split for r in self.rows))}")
        return rows

    def counts(self, split: str) -> list[int]:
        """Crops of each class in one split, in label order."""
        counted = Counter(row.label for row in self.rows if row.split == split)
        return [counted[index] for index in range(len(self.labels))]

    def path(self, row: Row) -> Path:
        """Where a row's image lies."""
        return self.root / row.image

    def save(self, path: Path) -> None:
        """Write the manifest as Parquet, atomically.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        arrow, parquet = _arrow()
        meta = {
            "version": _VERSION,
            "labels": list(self.labels.names),
            "labels_digest": self.labels.digest,
            "root": os.path.relpath(self.root.resolve(), path.parent.resolve()),
            "notes": self.notes,
        }
        table = arrow.Table.from_pylist([asdict(row) for row in self.rows], schema=_schema(arrow))
        table = table.replace_schema_metadata({_KEY: atomic_io.canonical_json(meta).encode()})
        with atomic_io.replace_file(path) as temporary:
            parquet.write_table(table, temporary)


def manifest_file(path: Path) -> Path:
    """Return the file of a manifest, which may be named by its folder.

    Raises:
        UserError: no such file.
    """
    path = DataFolder(path).manifest if path.is_dir() else path
    if not path.is_file():
        raise UserError(f"manifest: {path} is not there; make one with: leansort data import")
    return path


def load(path: Path) -> Manifest:
    """Read a manifest, or `manifest.parquet` of a folder.

    Raises:
        UserError: no such file.
        IntegrityError: not a manifest, of another version, or its labels do not match their digest.
        MissingExtraError: pyarrow is not installed.
    """
    arrow, _ = _arrow()
    path = manifest_file(path)
    try:
        table = parquet_files.read(path, [name for name in _schema(arrow).names if name not in ("label", "box")])
        meta = parse_json(table.schema.metadata[_KEY], "its notes")
    except parquet_files.UnreasonableParquetError as error:
        raise IntegrityError(f"manifest: {path} {error}") from None
    except (OSError, KeyError, TypeError, ValueError, UserError, arrow.ArrowException) as error:
        raise IntegrityError(f"manifest: {path} is not a leansort manifest ({type(error).__name__})") from None
    return _checked(path, table, meta)


def _checked(path: Path, table: Any, tree: Any) -> Manifest:
    version = tree.get("version") if isinstance(tree, dict) else None
    if isinstance(version, bool) or version != _VERSION:
        raise IntegrityError(f"manifest: {path} has version {version!r}, this leansort reads {_VERSION}")
    if not table.schema.remove_metadata().equals(_schema(_arrow()[0])):
        raise IntegrityError(f"manifest: {path} lacks columns of a manifest; it was changed")
    if any(table.column(name).null_count for name in table.column_names if name != "box"):
        raise IntegrityError(f"manifest: {path} has rows with empty fields; it was changed")
    meta = json_documents.validate(tree, _Meta, f"manifest: {path}: notes in the file")
    labels = LabelSet.of(meta["labels"], f"manifest: {path}")
    if Path(meta["root"]).is_absolute() or "\0" in meta["root"]:
        raise IntegrityError(f"manifest: {path}: root: got {meta['root']!r}, need a path from the manifest's folder")
    if labels.digest != meta["labels_digest"]:
        raise IntegrityError(f"manifest: the labels in {path} do not match their digest; the file was changed")
    rows = tuple(_row(values, len(labels), path) for values in table.to_pylist())
    return Manifest(rows, labels, location(os.path.normpath(path.parent / meta["root"])), meta["notes"])


def _row(values: dict[str, Any], classes: int, path: Path) -> Row:
    box = values.pop("box")
    if not 0 <= values["label"] < classes or values["split"] not in SPLITS:
        raise IntegrityError(f"manifest: {path} has a row with label {values['label']}, split {values['split']!r}")
    if not _stays_inside(values["image"]):
        raise IntegrityError(
            f"manifest: {path} has a row whose image leaves the folder of the data: {values['image']!r}"
        )
    if box is not None and not (len(box) == 4 and all(edge is not None and math.isfinite(edge) for edge in box)):
        raise IntegrityError(f"manifest: {path} has a row with box {box}; need x, y, width, height, or none")
    return Row(**values, box=tuple(box) if box else None)


def _stays_inside(name: str) -> bool:
    outside = not name or name.startswith("/") or "\0" in name or (".." in name and ".." in name.split("/"))
    return not outside and (os.sep == "/" or not Path(name).is_absolute())


def _schema(arrow: Any) -> Any:
    text = ("image", "split", "group", "hash", "source")
    fields = [(name, arrow.string()) for name in text]
    return arrow.schema([*fields, ("label", arrow.int32()), ("box", arrow.list_(arrow.float64()))])


def _arrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError("pyarrow", "train") from None


def duplicates(names: Sequence[str]) -> list[str]:
    """Names that are there more than once, sorted."""
    return sorted(name for name, times in Counter(names).items() if times > 1)
