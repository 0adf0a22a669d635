"""What changes where one classifier is taken for another, as a page shows it: photos by kind, and the most frequent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from leansort.measure.comparison.changed_answers import ChangedAnswer

MOST_PHOTOS = 60  # of each kind of change
MOST_PAIRS = 12  # rows of the table of changes


@dataclass(frozen=True)
class ChangeGroup:
    """Changes of one kind.

    Attributes:
        anchor: id of the group on the page.
        title: of the kind.
        changes: those whose photos are shown.
        count: all of the kind.
    """

    anchor: str
    title: str
    changes: tuple[ChangedAnswer, ...]
    count: int


def change_groups(changes: Sequence[ChangedAnswer], a: str = "A", b: str = "B") -> list[ChangeGroup]:
    """The crops that changed by who is right, as many of each as a page shows; kinds without a crop are left out.

    Args:
        changes: crops to which two classifiers give different labels.
        a: name of the first.
        b: name of the second.
    """
    kinds: tuple[tuple[str, str, bool, bool], ...] = (
        ("lost", f"Lost: only {a} is right", True, False),
        ("won", f"Won: only {b} is right", False, True),
        ("apart", "Both wrong, with different labels", False, False),
    )
    groups = []
    for anchor, title, a_right, b_right in kinds:
        found = [item for item in changes if (item.a == item.truth, item.b == item.truth) == (a_right, b_right)]
        if found:
            groups.append(ChangeGroup(anchor, title, tuple(found[:MOST_PHOTOS]), len(found)))
    return groups


def shown_changes(changes: Sequence[ChangedAnswer]) -> list[str]:
    """Names of the images whose photos the page shows."""
    return [item.image for group in change_groups(changes) for item in group.changes]


def frequent_changes(changes: Sequence[ChangedAnswer]) -> list[tuple[str, str, str, int]]:
    """(class, label of the first, label of the second, crops) of the most frequent changes."""
    counted = Counter((item.truth, item.a, item.b) for item in changes)
    ordered = sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))
    return [(truth, a, b, count) for (truth, a, b), count in ordered[:MOST_PAIRS]]
