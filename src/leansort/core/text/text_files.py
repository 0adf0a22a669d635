"""Text that people bring, read in one place: any UTF with or without its mark, JSON whose keys are there once.

A key that is given twice is refused: parsers keep the last one, and the first would vanish without a word.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

from leansort.core.errors import UserError
from leansort.core.text.encodings import decode_text
from leansort.core.writing import atomic_io

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]')


class _DuplicateKey(ValueError):
    """An object has a key twice."""


def read_text(path: Path, what: str) -> str:
    """Read a text file.

    Args:
        path: the file.
        what: kind of file, for the error.

    Returns:
        The text without a byte order mark, line ends as they are.

    Raises:
        UserError: it cannot be read, or is no text in UTF-8, UTF-16 or UTF-32.
    """
    try:
        data = atomic_io.read_file(path)
    except OSError as error:
        raise UserError(f"{what}: cannot read {path} ({error.strerror or error})") from None
    return decode_text(data, f"{what}: {path}")


def read_json(path: Path, what: str) -> Any:
    """Read a JSON file.

    Raises:
        UserError: as `read_text` and `parse_json` do.
    """
    return parse_json(read_text(path, what), f"{what}: {path}")


def read_json_lines(path: Path, what: str) -> list[Any]:
    """Read a file of one JSON value a line; blank lines are passed over.

    Raises:
        UserError: as `read_text` and `parse_json` do; the message names the line.
    """
    lines = enumerate(split_lines(read_text(path, what)), 1)
    return [parse_json(line, f"{what}: {path}: line {number}") for number, line in lines if line.strip()]


def parse_json(text: str | bytes, where: str) -> Any:
    """Parse JSON whose objects have every key once.

    Args:
        text: the JSON; bytes are decoded as files are.
        where: names the place in the error.

    Raises:
        UserError: not JSON, or a key is there twice; the message says where.
    """
    text = decode_text(text, where) if isinstance(text, bytes) else text
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except _DuplicateKey:
        raise UserError(
            f"{where} gives a key twice: {find_duplicate_key(text)}; every key must be there once"
        ) from None
    except json.JSONDecodeError as error:
        raise UserError(f"{where} is not JSON (line {error.lineno}: {error.msg})") from None
    except (RecursionError, ValueError) as error:  # nested too deep, or a number of thousands of digits
        raise UserError(f"{where} is not JSON that can be read ({error})") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _DuplicateKey
    return made


def find_duplicate_key(text: str) -> str:
    """Say which key of an object of this JSON is there twice, and in which lines; empty where none is."""
    stack: list[dict[str, int] | None] = []  # of each open object the keys with their lines, None for a list
    key, line, at = "", 1, 0
    for token in _TOKEN.finditer(text):
        line, at = line + text.count("\n", at, token.start()), token.start()
        if token[0] in "{[":
            stack.append({} if token[0] == "{" else None)
        elif token[0] in "}]" and stack:
            stack.pop()
        elif token[0] == ":" and stack and (keys := stack[-1]) is not None:
            if key in keys:
                return f"{key!r} in line {keys[key]} and in line {line}"
            keys[key] = line
        elif token[0][0] == '"':
            key = str(json.loads(token[0], strict=False))
    return ""


def split_lines(text: str) -> list[str]:
    """Lines without their ends (LF, CRLF, or CR alone); other separators of Unicode belong to names."""
    return [line.rstrip("\r\n") for line in io.StringIO(text, newline="")]
