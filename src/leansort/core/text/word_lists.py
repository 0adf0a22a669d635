"""Words in a sentence, one after the other."""

from __future__ import annotations

from collections.abc import Iterable


def listed(words: Iterable[str]) -> str:
    """Return words as a sentence has them: `A`, `A and B`, `A, B and C`; empty where there is none."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last
