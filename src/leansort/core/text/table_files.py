"""CSV, read and written in one place: each fault with its row, and nothing taken for what it is not."""

from __future__ import annotations

import csv
import io
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leansort.core.errors import UserError, did_you_mean
from leansort.core.text.text_files import read_text
from leansort.core.writing.escaping import cell, cell_text

SEPARATORS = (",", ";", "\t")
_SHOWN = {",": "comma", ";": "semicolon", "\t": "tab"}


@dataclass(frozen=True)
class Table:
    """The rows of a list.

    Attributes:
        where: what it was read from, for messages.
        rows: (row number, value by column); the header is row 1, as spreadsheets count.
        blank: rows without any value, which are passed over.
        unused: columns that nobody asked for.
    """

    where: str
    rows: list[tuple[int, dict[str, str]]]
    blank: int = 0
    unused: list[str] = field(default_factory=list)


def is_csv(path: Path) -> bool:
    """Whether a file's name says that it is a table in text: `.csv`, `.tsv`, in any capitals."""
    return path.suffix.lower() in (".csv", ".tsv")


def read_csv(
    path: Path, what: str, needed: Sequence[str], optional: Sequence[str] = (), may_be_empty: Sequence[str] = ()
) -> Table:
    """Read a table whose first row names its columns.

    Separators are commas, semicolons or tabs. Names of columns may have blanks around them and capitals; values may
    have blanks around them, which are dropped but from the first needed column, where a file's name may have them.

    Args:
        path: the file.
        what: kind of file, for the error.
        needed: columns that must be there, in small letters; a row must have a value in each.
        optional: columns that are taken where there are any.
        may_be_empty: of the needed columns those in which a row may have no value.

    Raises:
        UserError: no text, no such column, or a row with more or fewer fields than the header; with the row's number.
    """
    where = f"{what}: {path}"
    text = read_text(path, what)
    separator, skipped = _separator(text, needed)
    rows = _parsed(text, separator, where)
    head = next(itertools.islice(rows, skipped, None), (1, []))[1]
    columns = find_columns(head, needed, optional, where)
    made, blank = [], 0
    for number, fields in rows:
        if not any(field.strip() for field in fields):
            blank += 1
            continue
        _require_fields(fields, head, f"{where} row {number}", separator)
        values = {name: cell_text(fields[at]) for name, at in columns.items()}
        values |= {name: value.strip() for name, value in values.items() if name != needed[0]}
        require_values(values, [name for name in needed if name not in may_be_empty], f"{where} row {number}")
        made.append((number, values))
    unused = [name for at, name in enumerate(head) if at not in columns.values() and name.strip()]
    return Table(where, made, blank, unused)


def _separator(text: str, needed: Sequence[str]) -> tuple[str, int]:
    """The separator under which the header has the needed columns, and how many rows stand above the header."""
    head = text.partition("\n")[0]
    if head.lower().startswith("sep=") and len(head.rstrip("\r")) == 5:  # Excel's own way of saying it
        return head[4], 1
    has = {SEPARATOR: {name.strip().lower() for name in _head(text, SEPARATOR)} for SEPARATOR in SEPARATORS}
    return max(SEPARATORS, key=lambda SEPARATOR: (len(has[SEPARATOR] & set(needed)), len(has[SEPARATOR]))), 0


def _head(text: str, separator: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return []


def _parsed(text: str, separator: str, where: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    number = 0
    try:
        for number, fields in enumerate(reader, 1):
            yield number, fields
    except csv.Error as error:
        endless = "unexpected end" in str(error) or "field larger" in str(error)
        reason = 'a quote (") that is opened there never ends' if endless else f'quotes (") are out of place: {error}'
        raise UserError(f"{where} row {number + 1} is not CSV ({reason})") from None


def find_columns(head: Sequence[str], needed: Sequence[str], optional: Sequence[str], where: str) -> dict[str, int]:
    """Where the wanted columns are, whatever their capitals and the blanks around their names.

    Args:
        head: names of the columns.
        needed: those that must be there, in small letters.
        optional: those that are taken where they are there.
        where: names the table in the error.

    Raises:
        UserError: one that must be there is not, or a wanted one is there twice.
    """
    wanted = [*needed, *optional]
    names = [name.strip().lower() for name in head]
    has = ", ".join(map(repr, head)) or "none"
    for name in wanted:
        if names.count(name) > 1:
            raise UserError(f"{where} has the column {name!r} {names.count(name)} times; it has {has}")
    missing = [name for name in needed if name not in names]
    if missing:
        hint = did_you_mean(missing[0], names) or _header_hint(head, needed)
        raise UserError(f"{where} lacks the column {missing[0]!r}; it has {has}{hint}")
    return {name: names.index(name) for name in wanted if name in names}


def _header_hint(head: Sequence[str], needed: Sequence[str]) -> str:
    """What to do about a list without a header, as ImageNet and its kin come."""
    names = ",".join(needed)
    if len(head) == 1 and len(head[0].split()) > 1:
        return f"; put a comma or tab between the values, and a row above them that names the columns, e.g. {names}"
    more = "" if len(head) <= len(needed) else f" and a name, or nothing, for each of the {len(head)} columns"
    return f"; the first row must name the columns, e.g. {names}{more}; put such a row above where there is none"


def _require_fields(fields: list[str], head: Sequence[str], where: str, separator: str) -> None:
    while len(fields) > len(head) and not fields[-1].strip():  # a separator at the end of the line
        fields.pop()
    if len(fields) == len(head):
        return
    reason = (
        f"a {_SHOWN.get(separator, separator)} inside a value needs quotes around the value"
        if len(fields) > len(head)
        else f"{head[len(fields)].strip()!r} is missing"
    )
    raise UserError(
        f"{where} has {len(fields)} field{'s' * (len(fields) != 1)} where the header has {len(head)}: {reason}"
    )


def require_values(values: Mapping[str, str], needed: Sequence[str], where: str) -> None:
    """Refuse a row that has nothing in a column that it needs; `where` names the row in the error.

    Raises:
        UserError: with the column.
    """
    empty = [name for name in needed if not values[name].strip()]
    if empty:
        raise UserError(f"{where} has no {empty[0]}")


def csv_line(values: Iterable[str]) -> str:
    """A row of CSV without its end: values with a separator, quote, line break or outer blank in quotes.

    What a spreadsheet would take for a formula is marked; see `escaping.cell`.
    """
    cells = [cell(value) for value in values]
    outer = any(item != item.strip() for item in cells)
    buffer = io.StringIO(newline="")
    csv.writer(buffer, quoting=csv.QUOTE_ALL if outer else csv.QUOTE_MINIMAL, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue().removesuffix("\r\n")


def csv_path(path: str | os.PathLike[str]) -> str:
    """A file's path for a cell: one that begins like a formula begins with `./` instead, and is still that file's."""
    text = os.fspath(path)
    return text if cell(text) == text else f".{os.sep}{text}"
