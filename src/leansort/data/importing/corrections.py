"""A corrections file: what an import takes a photo for in place of the label that its source gives it.

A CSV with the columns `file` and `label`, as `leansort data doubt` writes one to be filled in. `file` is a crop's name
as the manifest has it. An empty `label` decides nothing, a class is the photo's label from then on, and `drop` (or `-`)
leaves the photo out. Where there is a column `was`, the photo must still have that label: a correction of other data
is refused.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leansort.core.errors import UserError, did_you_mean
from leansort.core.folders.image_files import KnownNames
from leansort.core.labels import normalize_name
from leansort.core.text.name_lists import file_name
from leansort.core.text.table_files import read_csv
from leansort.data.importing.items import Item, Items

WHAT = "corrections"
DROP, DASH = "drop", "-"
FILE, LABEL, WAS = "file", "label", "was"
_MOST_KNOWN = 10_000  # names, of more no close one is looked for: that takes seconds


@dataclass(frozen=True)
class Correction:
    """A row of a corrections file that decides something.

    Attributes:
        row: its number in the file; the header is row 1.
        file: the photo's name, as it is written there.
        label: a class, or `drop` or `-`.
        was: the label that the photo had when the row was written; empty where the file does not say.
    """

    row: int
    file: str
    label: str
    was: str


@dataclass(frozen=True)
class Corrections:
    """What a corrections file says.

    Attributes:
        path: the file.
        rows: those that decide something.
        blank: number of rows whose label is empty.
    """

    path: Path
    rows: tuple[Correction, ...]
    blank: int

    def where(self, row: int) -> str:
        """Name a row in a message."""
        return f"{WHAT}: {self.path} row {row}"


@dataclass(frozen=True)
class AppliedCorrection:
    """A photo that was corrected.

    Attributes:
        file: its name, relative to the data's folder.
        was: the label that the source gives it.
        label: the class that it has now; empty where it was dropped.
    """

    file: str
    was: str
    label: str

    def __str__(self) -> str:
        """As `train/glass/a.jpg (glass -> plastic)`."""
        return f"{self.file} ({self.was} -> {self.label or 'dropped'})"


@dataclass(frozen=True)
class CorrectedItems:
    """A source's items with their corrections.

    Attributes:
        items: what is left, with the labels that the file gives.
        relabelled: photos that got another class.
        dropped: photos that were left out.
        confirmed: names of photos whose row has the class that they have anyway.
    """

    items: Items
    relabelled: tuple[AppliedCorrection, ...]
    dropped: tuple[AppliedCorrection, ...]
    confirmed: tuple[str, ...]


def read_corrections(path: Path) -> Corrections:
    """Read a corrections file.

    Raises:
        UserError: no text, a column is missing, or a row has no file or other fields than the header.
    """
    table = read_csv(path, WHAT, (FILE, LABEL), (WAS,), may_be_empty=(LABEL,))
    rows = [Correction(number, row[FILE], row[LABEL], row.get(WAS, "")) for number, row in table.rows]
    decided = tuple(row for row in rows if row.label)
    return Corrections(path, decided, len(rows) - len(decided))


def apply_corrections(items: Items, corrections: Corrections) -> CorrectedItems:
    """Give the photos that a corrections file names the labels that it gives them.

    Args:
        items: of a source, with its classes as the network will have them.
        corrections: the file.

    Raises:
        UserError: a row names a photo that is not there, a label that is no class, another label than the photo has
            now, or a photo that another row decides differently.
    """
    names = [Path(os.path.relpath(item.image, items.root)).as_posix() for item in items.items]
    chosen: dict[str, tuple[Correction, str]] = {}
    found = _find_files(corrections, names)
    for row, name in zip(corrections.rows, found, strict=True):
        label = _label_of(row, items, corrections)
        other = chosen.setdefault(name, (row, label))
        if other[1] != label:
            raise UserError(
                f"{corrections.where(row.row)}: {name!r} becomes {label or DROP!r}, and {other[1] or DROP!r} in row "
                f"{other[0].row}; keep one of the two rows"
            )
    kept: list[Item] = []
    changed: list[AppliedCorrection] = []
    confirmed: list[str] = []
    for name, item in zip(names, items.items, strict=True):
        if name not in chosen:
            kept.append(item)
            continue
        row, label = chosen[name]
        now = normalize_name(item.label)
        _require_same_label(row, now, corrections)
        if label == now:
            confirmed.append(name)
        else:
            changed.append(AppliedCorrection(name, now, label))
        if label:
            kept.append(replace(item, label=label))
    relabelled = tuple(item for item in changed if item.label)
    dropped = tuple(item for item in changed if not item.label)
    return CorrectedItems(replace(items, items=kept), relabelled, dropped, tuple(confirmed))


def _find_files(corrections: Corrections, names: Sequence[str]) -> list[str]:
    """The photo's name of each row.

    Raises:
        UserError: there is no such photo; with the first one's row, and how many there are.
    """
    known = KnownNames(names)
    meant = [file_name(row.file, lambda form: known.match(form) is not None) for row in corrections.rows]
    found = [known.match(name, corrections.where(row.row)) for row, name in zip(corrections.rows, meant, strict=True)]
    lost = [at for at, name in enumerate(found) if name is None]
    if lost:
        first = meant[lost[0]]
        hint = did_you_mean(first, names) if len(names) < _MOST_KNOWN else ""
        raise UserError(
            f"{corrections.where(corrections.rows[lost[0]].row)}: {first!r} is no photo of the data{hint} "
            f"({len(lost)} of {len(found)} corrections name none)"
        )
    return [name for name in found if name is not None]


def _label_of(row: Correction, items: Items, corrections: Corrections) -> str:
    """The class that a row gives; empty where it drops the photo."""
    if row.label.casefold() in drop_words(items.labels.names):
        return ""
    at = items.labels.index(row.label, f"{corrections.where(row.row)}: label ({DROP} leaves the photo out)")
    return items.labels.names[at]


def drop_words(classes: Sequence[str]) -> list[str]:
    """The words that leave a photo out, where no class is called so."""
    taken = {name.casefold() for name in classes}
    return [word for word in (DASH, DROP) if word not in taken]


def _require_same_label(row: Correction, now: str, corrections: Corrections) -> None:
    if row.was and normalize_name(row.was) != now:
        raise UserError(
            f"{corrections.where(row.row)}: {row.file!r} is {now!r} in the data, and was {row.was!r} when the row was "
            "written; the labels changed since: look again with leansort data doubt, or empty the column was"
        )


def summarize(corrected: CorrectedItems, blank: int) -> dict[str, int]:
    """Counts for the notes of an import, without those that are zero."""
    moves = Counter(f"{item.was} -> {item.label}" for item in corrected.relabelled)
    counts = {
        **dict(moves),
        "dropped": len(corrected.dropped),
        "confirmed": len(corrected.confirmed),
        "undecided rows": blank,
    }
    return {name: count for name, count in counts.items() if count}
