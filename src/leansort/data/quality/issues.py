"""What an import or a check found wrong: counted by kind, the first ones of each kind by name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from leansort.core.writing.escaping import printable

SHOWN = 20


@dataclass
class Issues:
    """Counts of what was found, and named examples.

    Attributes:
        counts: how often each kind was met.
        examples: for each kind the first `SHOWN` places.
    """

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, place: str) -> None:
        """Count one fault; `place` names it."""
        self.counts[kind] += 1
        named = self.examples.setdefault(kind, [])
        if len(named) < SHOWN:
            named.append(place)

    def merge(self, other: Issues) -> None:
        """Add what another one found."""
        self.counts += other.counts
        for kind, places in other.examples.items():
            named = self.examples.setdefault(kind, [])
            named += places[: SHOWN - len(named)]

    def lines(self) -> list[str]:
        """One line for each example, and one for the rest of each kind."""
        listed = []
        for kind, places in self.examples.items():
            listed += [printable(f"{place}: {kind}") for place in places]
            if self.counts[kind] > len(places):
                listed.append(printable(f"{kind}: {self.counts[kind] - len(places)} more"))
        return listed

    def to_json(self) -> dict[str, Any]:
        """Counts and examples as plain data."""
        return {kind: {"count": count, "examples": self.examples.get(kind, [])} for kind, count in self.counts.items()}
