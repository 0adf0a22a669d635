"""Lists of files' names: one a line, as people write them, or with NUL after each, as `find -print0` does."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from leansort.core.errors import UserError, did_you_mean
from leansort.core.folders.image_files import KnownNames
from leansort.core.text.encodings import decode_text, encoding_of
from leansort.core.text.text_files import split_lines
from leansort.core.writing import atomic_io


def file_name(value: str, there: Callable[[str], bool]) -> str:
    r"""A file's name as a list has it, or what was surely meant: without blanks around it, with `/` in place of `\`.

    Args:
        value: from the list.
        there: tells whether there is a file of such a name.
    """
    if value == value.strip() and "\\" not in value:
        return value
    forms = dict.fromkeys((value, value.strip(), value.replace("\\", "/"), value.strip().replace("\\", "/")))
    return next((form for form in forms if there(form)), value.strip().replace("\\", "/"))


def read_names(path: Path, what: str, known: Collection[str], where: str) -> list[str]:
    """Read a list of names, each of which must be known: one a line, or with NUL after each.

    Args:
        path: the file.
        what: kind of list, for the error.
        known: the names that there are.
        where: says where they are known, for the error.

    Raises:
        UserError: no text, or names that are not known, with the first one's row; blank rows count.
    """
    lines = [(number, line) for number, line in enumerate(_lines(path, what), 1) if line.strip()]
    names = KnownNames(known)
    meant = [(number, file_name(line, lambda form: names.match(form) is not None)) for number, line in lines]
    result = [names.match(name, f"{what}: {path} row {number}") for number, name in meant]
    lost = [item for item, name in zip(meant, result, strict=True) if name is None]
    if lost:
        number, name = lost[0]
        hint = did_you_mean(name, known) if len(known) < 10_000 else ""
        raise UserError(
            f"{what}: {path} row {number}: {name!r} is not in {where}{hint} ({len(lost)} of {len(lines)} names are not)"
        )
    return [name for name in result if name is not None]


def _lines(path: Path, what: str) -> list[str]:
    try:
        data = atomic_io.read_file(path)
    except OSError as error:
        raise UserError(f"{what}: cannot read {path} ({error.strerror or error})") from None
    if encoding_of(data)[0] == "utf-8" and _end(data) == b"\0":
        return [decode_text(name, f"{what}: {path}") for name in data.split(b"\0")]
    return split_lines(decode_text(data, f"{what}: {path}"))


def write_names(path: Path, names: Sequence[str]) -> None:
    """Write names so that they can be read again: one a line, or with NUL after each where lines would not do."""
    end = "\0" if any(name != name.strip() or split_lines(name) != [name] for name in names) else "\n"
    atomic_io.write_bytes(path, b"".join(os.fsencode(f"{name}{end}") for name in names))


def names_of(stream: BinaryIO, what: str) -> Iterator[str]:
    """Yield names from a stream as they come: one a line, or with NUL between them as `find -print0` writes.

    Args:
        stream: binary; bytes that are no UTF-8 become lone surrogates, as in Python's file names.
        what: names the stream in the error.

    Raises:
        UserError: it is UTF-16.
    """
    end, rest, first = b"", b"", True
    while chunk := _chunk(stream):
        rest += chunk
        if first and (len(rest) >= 4 or b"\n" in rest):
            rest, first = _begun(rest, what), False
        end = end or _end(rest)
        if end:
            *whole, rest = rest.split(end)
            yield from _names(whole, end)
    yield from _names([_begun(rest, what) if first else rest], end)


def _chunk(stream: BinaryIO) -> bytes:
    """What has come by now, at least a byte until the end: a robot waits for its answer before it sends more."""
    return bytes(stream.read1(1 << 16) if hasattr(stream, "read1") else stream.readline())


def _end(data: bytes) -> bytes:
    """What ends a name, NUL or a line end; empty where neither is there yet.

    A single NUL among lines is a fault of one name, and the other names are read all the same.
    """
    if b"\0" in data and (data.endswith(b"\0") or data.count(b"\0") >= data.count(b"\n")):
        return b"\0"
    return b"\n" if b"\n" in data else b""


def _begun(data: bytes, what: str) -> bytes:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or data[1:4:2] == b"\0\0" or data[0:3:2] == b"\0\0":
        raise UserError(f"{what}: the list is UTF-16; convert it: iconv -f UTF-16 -t UTF-8")
    return data.removeprefix(b"\xef\xbb\xbf")


def _names(whole: list[bytes], end: bytes) -> Iterator[str]:
    for name in whole:
        text = os.fsdecode(name)
        text = text if end == b"\0" else text.strip()
        if text:
            yield text
