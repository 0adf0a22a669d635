"""Flatbuffers of `tflite_schema`'s tables, written in one way and read in that way only.

LiteRT follows every offset in a file, wherever it leads. So a file is written again from what was read of it, and one
that differs in a byte is refused: offsets that overlap, fields that nobody knows and bytes that nobody reads have
nowhere to hide. Everything lies behind what refers to it, in the order of the fields: a table's vtable, the table,
then what it refers to.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Any

from leansort.core.graphs.faults import UnsoundGraphError
from leansort.core.graphs.litert import tflite_schema
from leansort.core.graphs.litert.tflite_schema import Model

_NUMBERS = {1: "b?", 4: "iIf", 8: "q"}  # by their bytes
_SIZES = {letter: size for size, letters in _NUMBERS.items() for letter in letters}
_DATA = 16  # what LiteRT aligns the bytes of a constant to
_UNION = {kind: number for number, kind in tflite_schema.OPTIONS.items()}


def write(model: Model) -> bytes:
    """The one file of a model."""
    out = bytearray(4) + tflite_schema.IDENTIFIER
    struct.pack_into("<I", out, 0, _write_table(out, model))
    return bytes(out)


def read(data: bytes) -> Model:
    """Read a file that `write` has written.

    Raises:
        UnsoundGraphError: it is another one.
    """
    if data[4:8] != tflite_schema.IDENTIFIER:
        raise UnsoundGraphError("is no graph of LiteRT's")
    try:
        model: Model = _Reader(data).table(0, Model)
    except (struct.error, UnicodeDecodeError):
        raise UnsoundGraphError("is damaged (it refers to what it does not hold)") from None
    if write(model) != data:
        raise UnsoundGraphError("is not laid out as leansort lays graphs out, or has fields that no bundle may have")
    return model


def _fields(item: object) -> list[tuple[int, Any, str]]:
    """Number, kind and name of a table's fields; the type of a union is one of its own."""
    known = dataclasses.fields(item)  # type: ignore[arg-type]
    return [(entry.metadata["slot"], entry.metadata["kind"], entry.name) for entry in known]


def _write_table(out: bytearray, item: object) -> int:
    """Write a table and all behind it; return its place."""
    given: list[tuple[int, Any, Any]] = []
    for entry, (number, kind, name) in zip(dataclasses.fields(item), _fields(item), strict=True):  # type: ignore[arg-type]
        value = getattr(item, name)
        if kind == "union" and value is not None:
            given.append((number - 1, "b", _UNION[type(value)]))
        if value != entry.default:
            given.append((number, type(value) if kind == "union" else kind, value))
    places, at = [0] * (1 + max((number for number, _, _ in given), default=-1)), 4
    for number, kind, _ in given:
        size = _size(kind)
        at += -at % size
        places[number] = at
        at += size
    vtable = struct.pack(f"<{2 + len(places)}H", 4 + 2 * len(places), at, *places)
    out += bytes(-(len(out) + len(vtable)) % 4) + vtable
    start = len(out)
    out += struct.pack("<i", len(vtable)) + bytes(at - 4)
    for number, kind, value in given:
        place = start + places[number]
        if isinstance(kind, str) and kind in _SIZES:
            struct.pack_into(f"<{kind}", out, place, value)
        else:
            struct.pack_into("<I", out, place, _write_behind(out, kind, value) - place)
    return start


def _size(kind: Any) -> int:
    return _SIZES.get(kind, 4) if isinstance(kind, str) else 4


def _write_behind(out: bytearray, kind: Any, value: Any) -> int:
    """Write what a field refers to; return its place."""
    if isinstance(kind, type):
        return _write_table(out, value)
    if isinstance(kind, list):
        out += bytes(-len(out) % 4)
        start = len(out)
        out += struct.pack("<I", len(value)) + bytes(4 * len(value))
        for place, item in enumerate(value, 1):
            struct.pack_into("<I", out, start + 4 * place, _write_table(out, item) - start - 4 * place)
        return start
    if kind in ("bytes", "text"):
        data = value.encode() + b"\0" if kind == "text" else value
        align, count = (4, len(data) - 1) if kind == "text" else (_DATA, len(data))
    else:
        data, count = struct.pack(f"<{len(value)}{kind[1]}", *value), len(value)
        align = max(4, _SIZES[kind[1]])
    out += bytes(-(len(out) + 4) % align)
    start = len(out)
    out += struct.pack("<I", count) + data
    return start


class _Reader:
    """Reads tables; what was read altogether is never more than the file holds, however its offsets cross."""

    def __init__(self, data: bytes) -> None:
        self._data, self._left = data, len(data)

    def _unpack(self, letters: str, at: int) -> tuple[Any, ...]:
        size = struct.calcsize(f"<{letters}")
        self._left -= size
        if at < 0 or self._left < 0:
            raise struct.error
        return struct.unpack_from(f"<{letters}", self._data, at)

    def _target(self, at: int) -> int:
        return at + int(self._unpack("I", at)[0])

    def table(self, at: int, kind: type) -> Any:
        """The table that an offset leads to."""
        start = self._target(at)
        vtable = start - self._unpack("i", start)[0]
        size, _ = self._unpack("HH", vtable)
        places = self._unpack(f"{max(0, size - 4) // 2}H", vtable + 4)
        values = {}
        for number, entry, name in _fields(kind):
            place = places[number] if number < len(places) else 0
            if not place:
                continue
            if entry == "union":
                before = places[number - 1]
                entry = tflite_schema.OPTIONS.get(self._unpack("b", start + before)[0] if before else 0)
                if entry is None:
                    raise struct.error
            values[name] = self._value(start + place, entry)
        return kind(**values)

    def _value(self, at: int, kind: Any) -> Any:
        if isinstance(kind, type):
            return self.table(at, kind)
        if isinstance(kind, str) and kind in _SIZES:
            return self._unpack(kind, at)[0]
        start = self._target(at)
        (count,) = self._unpack("I", start)
        if isinstance(kind, list):
            return tuple(self.table(start + 4 * place, kind[0]) for place in range(1, self._count(count, 4) + 1))
        if kind in ("bytes", "text"):
            (data,) = self._unpack(f"{self._count(count, 1)}s", start + 4)
            return data.decode() if kind == "text" else data
        letter = kind[1]
        return self._unpack(f"{self._count(count, _SIZES[letter])}{letter}", start + 4)

    def _count(self, count: int, size: int) -> int:
        if count * size > self._left:
            raise struct.error
        return int(count)
