"""What every workflow returns: a frozen type with a version, that becomes JSON and comes back from it.

A subclass names its fields, says what they mean, and gives `headline`, the few lines that a person wants first; the
command line prints JSON or a table of it, a page takes it whole, a notebook shows it by itself:

    class ExportResult(TypedResult):
        bundle: Path
        parity: Parity

`VERSION` grows when a field goes, changes its meaning or is needed from now on; a new field with a default value does
not need that, since unknown fields are passed over when a file is read. Files from before there were versions have none
and are read as version 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import ClassVar, Self, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from leansort.core.errors import IntegrityError
from leansort.core.files import json_documents
from leansort.core.writing.escaping import markup

JsonObject: TypeAlias = dict[str, JsonValue]
MOST_SHOWN = 6  # items of a list or mapping that are shown in a line; of more, their number


class TypedResult(BaseModel):
    """Base class of results: frozen, strict about types, with a version.

    Attributes:
        VERSION: of the fields of the subclass; stands as `version` in its JSON.
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", allow_inf_nan=False, populate_by_name=True, serialize_by_alias=True
    )
    VERSION: ClassVar[int] = 1

    def to_json(self) -> JsonObject:
        """Return the result as plain data that `from_json` reads: JSON's own types, and `version`."""
        return {"version": self.VERSION, **self.model_dump(mode="json")}

    @classmethod
    def from_json(cls, tree: object, where: str) -> Self:
        """Read what `to_json` gave.

        Args:
            tree: the parsed JSON.
            where: names its place in the error, e.g. `report: runs/a/score.json`.

        Raises:
            IntegrityError: it is of another version, or not what was written; the message names the field.
        """
        version = tree.get("version", 1) if isinstance(tree, dict) else cls.VERSION
        if version != cls.VERSION or isinstance(version, bool):
            raise IntegrityError(f"{where}: version: got {str(version)[:40]!r}, this leansort reads {cls.VERSION}")
        return json_documents.validate(tree, cls, where, strict=True)

    def headline(self) -> dict[str, str]:
        """Return what a person wants to know first, as text by name; all fields unless a subclass knows better."""
        return {name.replace("_", " "): show_value(value) for name, value in self}

    def _repr_html_(self) -> str:
        """Return a small table; notebooks show it in place of the object."""
        rows = "".join(
            f"<tr><th style='text-align:left'>{markup(name)}</th><td style='text-align:left'>{markup(text)}</td></tr>"
            for name, text in self.headline().items()
        )
        return f"<table><caption>{markup(type(self).__name__)}</caption>{rows}</table>"


def to_plain(value: object) -> JsonValue:
    """Return a result, dataclass or model as plain data; plain data as they are."""
    if isinstance(value, TypedResult):
        return value.to_json()
    if isinstance(value, BaseModel) or (is_dataclass(value) and not isinstance(value, type)):
        return cast(JsonValue, TypeAdapter(type(value)).dump_python(value, mode="json", by_alias=True))
    return cast(JsonValue, value)


def show_value(value: object) -> str:
    """Return a value as a short text: four digits of a float, a few items of a list, their number where there are more.

    Args:
        value: a field of a result.
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str | Path):
        return str(value)
    return _show_parts(value)


def _show_parts(value: object) -> str:
    parts = _fields(value)
    if parts and "__str__" in type(value).__dict__:
        return str(value)
    named = value if isinstance(value, Mapping) else parts
    if named is not None:
        shown = [f"{str(name).replace('_', ' ')} {show_value(item)}" for name, item in named.items()]
    elif isinstance(value, Sequence):
        shown = [show_value(item) for item in value]
    else:
        return str(value)
    return ", ".join(shown) if len(shown) <= MOST_SHOWN else f"{len(shown):,} items"


def _fields(value: object) -> dict[str, object] | None:
    """The fields of a dataclass or model by name; None of anything else."""
    if isinstance(value, BaseModel):
        return dict(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return None
