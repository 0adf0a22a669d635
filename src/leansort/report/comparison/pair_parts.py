"""What a page shows of two classifiers against each other, whether it is about these two or about several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leansort.measure.comparison.changed_answers import ChangedAnswer
from leansort.measure.comparison.mcnemar import PairedCounts
from leansort.measure.measurement import Measurement
from leansort.report.charts.spread import spread_chart, spread_sentence
from leansort.report.comparison.answer_changes import MOST_PAIRS, ChangeGroup, change_groups, frequent_changes


@dataclass(frozen=True)
class PairParts:
    """Two classifiers, for the template of their parts.

    Attributes:
        a: name of the first.
        b: name of the second.
        counts: on how many crops they agree.
        spreads: (what, sentence, drawing) of each latency whose distribution was kept.
        changed: crops with different labels.
        frequent: (class, label of the first, label of the second, crops) of the most frequent changes.
        groups: the photos by who is right.
        most_frequent: rows that `frequent` has at most.
    """

    a: str
    b: str
    counts: PairedCounts
    spreads: tuple[tuple[str, str, str], ...]
    changed: int
    frequent: tuple[tuple[str, str, str, int], ...]
    groups: tuple[ChangeGroup, ...]
    most_frequent: int = MOST_PAIRS


def pair_parts(
    a: str,
    b: str,
    counts: PairedCounts,
    latencies: Sequence[tuple[str, Measurement, Measurement]],
    changes: Sequence[ChangedAnswer],
) -> PairParts:
    """Prepare the parts.

    Args:
        a: name of the first.
        b: name of the second.
        counts: on how many crops they agree.
        latencies: (what, that of the first, that of the second), in ms.
        changes: crops to which they give different labels.
    """
    return PairParts(
        a,
        b,
        counts,
        tuple(_spreads(a, b, latencies)),
        len(changes),
        tuple(frequent_changes(changes)),
        tuple(change_groups(changes, a, b)),
    )


def _spreads(a: str, b: str, latencies: Sequence[tuple[str, Measurement, Measurement]]) -> list[tuple[str, str, str]]:
    drawn = []
    for what, first, second in latencies:
        both = [(a, first), (b, second)]
        told = "; ".join(spread_sentence(*side) for side in both)
        if drawing := spread_chart(both):
            drawn.append((what, told, drawing))
    return drawn
