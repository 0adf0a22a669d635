r"""Foreign text - names of files and classes, titles, provenance - made harmless for the place where it is shown.

One function a place: `printable` for terminals and plain text, `markup` for HTML and SVG, `markdown` for Markdown,
`cell` for CSV, `json_text` for JSON. `without_password` is for addresses that are shown.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

# Control characters (terminal escapes are made of them), what turns the direction of writing, separators of lines
# and paragraphs, the byte order mark, and bytes of file names that are no text.
_UNSEEN = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_HIDDEN = re.compile(f"[{_UNSEEN}]")
_HIDDEN_IN_LINES = re.compile(f"(?![\n\t])[{_UNSEEN}]")
# What has a meaning inside a line (an underline inside a word has none; a link needs more than its brackets), and what
# makes a link by itself.
_MARKDOWN = re.compile(r"([\\`*<|~$]|(?<!\w)_|_(?!\w)|&(?=[#\w])|\](?=[(\[:])|:(?=//)|(?<=www)\.)")
_BLOCK = re.compile(r"^(\d{0,9})([-+=#>.)])")  # begins a list, a rule, a heading or a quotation
_FORMULA = re.compile(r"[\s']*[=+\-@]|'*[\t\r\n]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str) -> str:
    r"""One line of text without control characters: they become what Python would write, e.g. `\n` or `\x1b`."""
    return text if text.isprintable() else _HIDDEN.sub(_code, text)


def printable_lines(text: str) -> str:
    """The same for text that is laid out in lines: line breaks and tabs stay."""
    return text if text.isprintable() else _HIDDEN_IN_LINES.sub(_code, text)


def _code(result: re.Match[str]) -> str:
    number = ord(result[0])
    return _NAMED.get(result[0]) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def markup(text: str) -> str:
    """Text for HTML and SVG, in an element or in an attribute's quotes."""
    return html.escape(printable_lines(text))


def markdown(text: str) -> str:
    """Text for a line of Markdown or a cell of its tables; it stays text, whatever it holds."""
    return _MARKDOWN.sub(r"\\\1", printable(text))


def markdown_line(text: str) -> str:
    """The same for text that a line begins with, where it could also begin a list or a heading."""
    return _BLOCK.sub(r"\1\\\2", markdown(text).strip())


def cell(text: str) -> str:
    """Text for a cell of CSV that no spreadsheet takes for a formula: one that begins like a formula gets a `'`.

    That is what begins with `=`, `+`, `-`, `@`, tab or a line break, also after blanks and `'`, so that `cell_text` can
    take the mark off again.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def cell_text(text: str) -> str:
    """What `cell` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text


def json_text(value: Any, indent: int | None = None) -> str:
    r"""Strict JSON in which control characters are spelled `\u001b`: equal to any parser, harmless on a terminal."""
    return json_escaped(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent))


def json_escaped(text: str) -> str:
    """The same JSON with its control characters spelled out."""
    return text if text.isprintable() else _HIDDEN_IN_LINES.sub(lambda result: f"\\u{ord(result[0]):04x}", text)


def without_password(address: str) -> str:
    """A URL without the user and password that may stand in it; other text as it is."""
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else address
