"""The list of contents of a run's page: what is there, and what is not, with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TITLES = {
    "goal": "Goal",
    "target": "Limits of the target",
    "notes": "Please note",
    "classes": "Classes",
    "confusion": "Confusion",
    "mistakes": "Worst mistakes",
    "doubts": "Most doubtful labels",
    "confidence": "Confidence",
    "unknown": "Unknown photos",
    "stress": "Under stress",
    "tried": "Everything tried",
    "passes": "Passes",
    "training": "Training",
    "latency": "Speed",
    "contest": "Contest score",
    "data": "Data",
    "commands": "Commands",
    "provenance": "Provenance",
}


@dataclass(frozen=True)
class ContentsEntry:
    """A line of the contents.

    Attributes:
        part: id of the part.
        title: its heading.
        missing: why it is not there; empty where it is.
    """

    part: str
    title: str
    missing: str = ""


def contents(there: Sequence[str], missing: Mapping[str, str]) -> tuple[list[ContentsEntry], list[ContentsEntry]]:
    """The parts that are there, and those that are not and have a reason, both in the page's order.

    Args:
        there: ids of the parts that the page has.
        missing: reasons, by id; those of parts that are there are passed over.
    """
    present = [ContentsEntry(part, title) for part, title in TITLES.items() if part in there]
    absent = [
        ContentsEntry(part, title, missing[part])
        for part, title in TITLES.items()
        if part not in there and missing.get(part)
    ]
    return present, absent
