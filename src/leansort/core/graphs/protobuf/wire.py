"""Protocol buffers, read strictly: the fields of a message as places in the bytes, of which nothing is copied.

Stricter than the format: unknown fields, fields given twice and groups are refused, so that no two readers of one
file can come to different ends.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from leansort.core.graphs.faults import UnsoundGraphError
from leansort.core.graphs.limits import TEXT_BYTES

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_SIGN, _WHOLE = 1 << 63, 1 << 64
# By field name: a whole number of a varint, else (start, end) in the bytes; a list of them where a field is repeated.
Fields = dict[str, Any]
Span = tuple[int, int]


def tag(number: int, wire: int = LENGTH) -> int:
    """What stands in front of a field."""
    return number << 3 | wire


@dataclass(slots=True, eq=False, repr=False)
class Message:
    """The fields that a kind of message may have.

    Attributes:
        name: of the kind.
        once: field names by tag, each given at most once.
        often: likewise, given any number of times.
        refused: what a field is, by its number, that no bundle may have.
    """

    name: str
    once: dict[int, str] = field(default_factory=dict)
    often: dict[int, str] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)

    def read(self, data: bytes, span: Span) -> Fields:
        """Where each field of a message is; written for speed, for a robot waits while it starts.

        Raises:
            UnsoundGraphError: bytes that are no such message.
        """
        at, end = span
        fields: Fields = {}
        once, often = self.once, self.often
        while at < end:
            key = data[at]
            at += 1
            if key >= 0x80:
                key, at = varint(data, at - 1, end)
            value: Any
            if key & 7 == LENGTH:
                length, at = (data[at], at + 1) if at < end and data[at] < 0x80 else varint(data, at, end)
                value = at, at + length
                at += length
            elif key & 7 == VARINT:
                value, at = (data[at], at + 1) if at < end and data[at] < 0x80 else varint(data, at, end)
            else:
                value = at, at + {FIXED32: 4, FIXED64: 8}.get(key & 7, end)
                at = value[1]
            if key in often:
                fields.setdefault(often[key], []).append(value)
            elif key in once and once[key] not in fields:
                fields[once[key]] = value
            else:
                raise self._fault(key)
        if at > end:
            raise UnsoundGraphError("is cut short")
        return fields

    def _fault(self, key: int) -> UnsoundGraphError:
        if key in self.once:
            return UnsoundGraphError(f"is damaged: a {self.name} has its {self.once[key]} twice")
        if key >> 3 in self.refused:
            return UnsoundGraphError(f"has {self.refused[key >> 3]}, which no bundle may have")
        return UnsoundGraphError(f"is damaged: a {self.name} has an unknown field {key >> 3} of wire type {key & 7}")


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """An unsigned whole number of at most 64 bits, and where it ends."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80 and value < _WHOLE:
            return value, at
        if byte < 0x80:
            break
    raise UnsoundGraphError("is damaged: a number in it does not end")


def signed(value: int) -> int:
    """A whole number that may be negative, as varints hold it."""
    return value - _WHOLE if value >= _SIGN else value


def text(data: bytes, span: Span) -> str:
    """A short text.

    Raises:
        UnsoundGraphError: too long, not UTF-8, or with a zero byte, behind which readers in C see nothing.
    """
    start, end = span
    if end - start > TEXT_BYTES:
        raise UnsoundGraphError(f"has a name of {end - start} bytes, at most {TEXT_BYTES} are read")
    try:
        result = data[start:end].decode()
    except UnicodeDecodeError:
        raise UnsoundGraphError("has a name that is not UTF-8") from None
    if "\0" in result:
        raise UnsoundGraphError("has a name with a zero byte")
    return result


def integers(data: bytes, fields: Fields, name: str) -> list[int]:
    """Repeated whole numbers, given one by one under `name`, or together under `name` + ` packed`."""
    result = [signed(value) for value in fields.get(name, ())]
    for at, end in fields.get(f"{name} packed", ()):
        while at < end:
            value, at = varint(data, at, end)
            result.append(signed(value))
    return result


def floats(data: bytes, fields: Fields, name: str) -> list[float]:
    """Repeated floats, likewise."""
    numbers: list[float] = []
    for at, end in (*fields.get(name, ()), *fields.get(f"{name} packed", ())):
        if (end - at) % 4:
            raise UnsoundGraphError("is damaged: floats of three and a half bytes")
        numbers += struct.unpack(f"<{(end - at) // 4}f", data[at:end])
    return numbers
