"""Ordered class names with a digest: what index 3 means, fixed when a manifest is written."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leansort.core.errors import UserError, not_one_of

CONTEST = ("Metal", "Paper", "Paperpack", "Plastic", "Plasticbag", "Styrofoam")


@dataclass(frozen=True)
class LabelSet:
    """Class names in the order of the network's outputs.

    Attributes:
        names: at least two distinct, non-empty names; a name's position is its class index.

    Raises:
        UserError: fewer than two names, an empty name, or a name given twice.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        doubled = sorted(name for name, times in Counter(self.names).items() if times > 1)
        if doubled:
            raise UserError(f"labels: {', '.join(doubled)} given twice; every class name must be there once")
        if len(self.names) < 2 or not all(name.strip() for name in self.names):
            raise UserError(f"labels: got {_shown(self.names)}, need at least two non-empty names")

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
        """Return the class index of `name`; `where` names the place in the error.

        Raises:
            UserError: there is no such class.
        """
        if name not in self.names:
            raise not_one_of(where, name, self.names)
        return self.names.index(name)

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
