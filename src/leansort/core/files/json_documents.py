"""JSON that leansort wrote earlier, read back as if a stranger had sent it: limits first, then every field by its type.

A shape is a pydantic model, a dataclass or a `TypedDict`; what the folder's files look like stands next to who writes
them. Whatever does not fit is one line that names the file and the field.
"""

from __future__ import annotations

import json
import math
import os
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from leansort.core.errors import IntegrityError, UserError
from leansort.core.text import text_files

MOST_BYTES = 1 << 28  # of a file; the record of a long search has some megabytes
MOST_TEXT = 1 << 20  # characters of a string
MOST_VALUES = 3_000_000
MOST_DEPTH = 60  # lists and objects within each other
MOST_WHOLE = 1 << 63
# Of a `TypedDict`: a number is no text, and fields that only newer versions know are kept.
OPEN = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)
T = TypeVar("T")
_Place = tuple[Any, ...]  # depth, last key, place of what holds it; empty for the whole


def read(path: Path, shape: type[T], what: str) -> T:
    """Read a JSON file of a known shape.

    Args:
        path: the file.
        shape: what it must hold.
        what: kind of file, for the error.

    Raises:
        UserError: it is not there, too large, leads out of its folder, or is not JSON.
        IntegrityError: it is JSON of another shape; the message names the field.
    """
    return validate(read_tree(path, what), shape, f"{what}: {path}")


def read_tree(path: Path, what: str) -> object:
    """Read a JSON file as plain data of any shape, for who checks it afterwards.

    Args:
        path: the file.
        what: kind of file, for the error.

    Raises:
        UserError: as `read`.
    """
    _require_plain(path, what)
    tree: object = text_files.read_json(path, what)
    return tree


def read_lines(path: Path, shape: type[T], what: str) -> list[T]:
    """Read a file of one JSON value a line; see `read`."""
    _require_plain(path, what)
    values = text_files.read_json_lines(path, what)
    return [validate(value, shape, f"{what}: {path}: value {number}") for number, value in enumerate(values, 1)]


def validate(tree: object, shape: type[T], where: str, *, strict: bool | None = None) -> T:
    """Check a tree of plain data.

    Args:
        tree: the parsed JSON.
        shape: what it must be.
        where: names its place in the error.
        strict: whether a number may not stand as text, and the like; None leaves that to each part of the shape.

    Raises:
        IntegrityError: it is not of this shape, or holds what no file of ours does.
    """
    require_sane(tree, where)
    try:
        return cast(
            T, _adapter(cast(Any, shape)).validate_json(json.dumps(tree), strict=strict)
        )  # a list may be a tuple
    except ValidationError as error:
        first, more = error.errors()[0], error.error_count() - 1
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        got = "missing" if first["type"] == "missing" else f"got {_short_repr(first['input'])}, {_lower(first['msg'])}"
        raise IntegrityError(f"{where}: {place}: {got}{f' (and {more} more)' if more else ''}") from None


def require_sane(tree: object, where: str) -> None:
    """Refuse numbers that are none, or too large, and what is too long, too much or nested too deep.

    Raises:
        IntegrityError: naming the place.
    """
    open_ones: list[tuple[object, _Place]] = [(tree, ())]  # no recursion, which a deep tree would exhaust
    count = 0
    while open_ones:
        value, place = open_ones.pop()
        count += 1
        fault = f"more than {MOST_VALUES:,} values" if count > MOST_VALUES else _fault(value)
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        depth = place[0] + 1 if place else 1
        if fault or (inner and depth > MOST_DEPTH):
            raise IntegrityError(f"{where}: {_dotted_path(place)}: {fault or f'nested deeper than {MOST_DEPTH}'}")
        open_ones += [(item, (depth, key, place)) for key, item in inner]


def _fault(value: object) -> str:
    if isinstance(value, str) and len(value) > MOST_TEXT:
        return f"a text of {len(value):,} characters, at most {MOST_TEXT:,}"
    if isinstance(value, dict) and any(isinstance(key, str) and len(key) > MOST_TEXT for key in value):
        return f"a name of more than {MOST_TEXT:,} characters"
    if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        return "a name that is no text"
    if isinstance(value, float) and not math.isfinite(value):
        return f"got {value}, need a finite number"
    if isinstance(value, int) and not -MOST_WHOLE <= value < MOST_WHOLE:
        return "a whole number of more than 64 bits"
    return ""


def _dotted_path(place: _Place) -> str:
    keys: list[str] = []
    while place:
        keys.append(_short_key(place[1]))
        place = place[2]
    return ".".join(reversed(keys)) or "the whole"


def _require_plain(path: Path, what: str) -> None:
    """A file of moderate size; not a link that leads out of its folder, which would show a stranger's what is ours."""
    try:
        size = path.stat().st_size
        outside = path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve())
    except OSError as error:
        raise UserError(f"{what}: cannot read {path} ({error.strerror or error})") from None
    if outside:
        raise UserError(f"{what}: {path} is a link that leads out of its folder")
    if size > MOST_BYTES:
        raise UserError(f"{what}: {path} has {size:,} bytes, at most {MOST_BYTES:,} are read")


def require_within(folder: Path, *paths: Path) -> None:
    """Refuse to write where a link leads out of a folder that may be a stranger's.

    Raises:
        UserError: naming the link.
    """
    for path in paths:
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
            raise UserError(
                f"cannot write {path}: a link there leads out of {folder}; remove it, or name another --out"
            )


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def _short_repr(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _short_key(key: object) -> str:
    return str(key)[:60]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
