"""Ordered class names with a digest: what index 3 means, fixed when a manifest is written."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leansort.core.errors import UserError, not_one_of
from leansort.core.graphs import limits
from leansort.core.writing.escaping import printable

MOST = 10_000  # classes
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))  # blanks of no width; joiners, which scripts need, are kept


def normalize_name(name: str) -> str:
    """A class's name as it is kept: Unicode form NFC, each run of blanks one space, none at the ends.

    Names that differ in nothing else are one class, wherever they come from: folders, tables, COCO categories, category
    maps, ground truth and predictions.
    """
    return " ".join(unicodedata.normalize("NFC", name.translate(_INVISIBLE)).split())


def show_spelling(name: str) -> str:
    """A name for a message that is about its spelling: with escapes where they tell more than the letters."""
    return ascii(name) if ascii(name) == repr(name) else f"{name!r} ({name!a})"


def count_respelled(names: Iterable[str]) -> dict[str, int]:
    """Count the names that `normalize_name` changes, in the order of their first appearance.

    Returns:
        Times by a phrase such as `'plastic ' taken as 'plastic'`.
    """
    counted = Counter(names)
    return {
        f"{show_spelling(n)} taken as {show_spelling(normalize_name(n))}": times
        for n, times in counted.items()
        if normalize_name(n) != n
    }


def require_distinct(names: Iterable[str], where: str) -> None:
    """Refuse names that people take for one and the same, such as `Plastic` and `plastic`.

    Args:
        names: of classes.
        where: names their place in the error.

    Raises:
        UserError: two names differ in case, width or invisible characters only; it shows both.
    """
    alike: dict[str, set[str]] = defaultdict(set)
    for name in names:
        alike[_likeness(name)].add(name)
    doubtful = [" and ".join(map(show_spelling, sorted(several))) for several in alike.values() if len(several) > 1]
    if doubtful:
        more = f" ({len(doubtful)} such groups)" if len(doubtful) > 1 else ""
        raise UserError(
            f"{where}: {doubtful[0]} differ in case or Unicode form only{more}; give one class one spelling, or say in "
            "a category map (map) which class each becomes"
        )


def _likeness(name: str) -> str:
    """What is left of a name once case, width and all that cannot be seen are gone."""
    folded = unicodedata.normalize("NFKC", normalize_name(name)).casefold()
    seen = "".join(letter for letter in folded if unicodedata.category(letter) not in ("Cf", "Cc"))
    return normalize_name(unicodedata.normalize("NFKC", seen))


def require_printable(name: str, where: str, longest: int) -> None:
    """Refuse a name that would break the lines that it is printed in: control characters, line breaks, endless length.

    Args:
        name: of a class or a model.
        where: names its place in the error.
        longest: characters that it may have.

    Raises:
        UserError: it is too long, or has characters that cannot be printed.
    """
    if len(name) > longest:
        raise UserError(
            f"{where}: got {printable(name[:40])!r}… of {len(name)} characters, at most {longest} are allowed"
        )
    if printable(name) != name:
        raise UserError(f"{where}: got {name!a}, need printable characters without line breaks")


@dataclass(frozen=True)
class LabelSet:
    """Class names in the order of the network's outputs.

    Attributes:
        names: at least two distinct, non-empty names of at most `LABEL_CHARACTERS` printable characters; a name's
            position is its class index.

    Raises:
        UserError: fewer than two names or more than `MOST`, a name that is empty, too long or not printable, or a
            name given twice.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        doubled = sorted(name for name, times in Counter(self.names).items() if times > 1)
        if doubled:
            raise UserError(f"labels: {', '.join(doubled)} given twice; every class name must be there once")
        if len(self.names) < 2 or not all(name.strip() for name in self.names):
            raise UserError(f"labels: got {_shown(self.names)}, need at least two non-empty names")
        if len(self.names) > MOST:
            raise UserError(f"labels: got {len(self.names)} names, at most {MOST} are allowed")
        for name in self.names:
            require_printable(name, "labels", limits.LABEL_CHARACTERS)

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def of(cls, names: Iterable[str], where: str = "") -> LabelSet:
        """Make a label set of any iterable of names, keeping its order; `where` names their place in the error."""
        try:
            return cls(tuple(names))
        except UserError as error:
            raise UserError(f"{where}: {error}" if where else str(error)) from None

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the names in order."""
        text = json.dumps(list(self.names), ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def index(self, name: str, where: str = "label") -> int:
        """Return the class index of `name`, also where it is spelled with other blanks; `where` names the place.

        Raises:
            UserError: there is no such class; a name that differs in case only is no such class either.
        """
        if name in self.names:
            return self.names.index(name)
        if normalize_name(name) not in self.names:
            raise self._unknown(name, where)
        return self.names.index(normalize_name(name))

    def _unknown(self, name: str, where: str) -> UserError:
        for known in self.names:
            if _likeness(known) == _likeness(name):
                return UserError(
                    f"{where}: got {show_spelling(name)}, which differs from the class {show_spelling(known)} in case "
                    "or Unicode form only; give one class one spelling"
                )
        return not_one_of(where, name, self.names)

    def require_same(self, other: LabelSet, mine: str, theirs: str) -> None:
        """Refuse to compare two things whose classes or class order differ.

        Raises:
            UserError: names or order differ; the message shows both orders.
        """
        if self.digest != other.digest:
            raise UserError(
                f"labels differ: {mine} has {_shown(self.names)}, {theirs} has {_shown(other.names)}; "
                "both must list the same classes in the same order"
            )


def _shown(names: Sequence[str]) -> str:
    return "[" + ", ".join(names[:12]) + (", …]" if len(names) > 12 else "]")
