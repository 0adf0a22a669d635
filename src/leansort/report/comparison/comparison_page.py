"""A comparison as one self-contained page: differences with intervals, what changed with its photos, latencies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from leansort.measure.comparison import comparison_rows
from leansort.measure.comparison.changed_answers import ChangedAnswer
from leansort.measure.comparison.comparison_result import ComparedClassifier, ComparisonResult
from leansort.report import templates
from leansort.report.charts.difference import difference_bar
from leansort.report.charts.spread import spread_chart, spread_sentence
from leansort.report.page import fixed

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


def comparison_page(result: ComparisonResult, thumbnails: Mapping[str, bytes]) -> str:
    """Lay a comparison out as an HTML document.

    Args:
        result: of two classifiers.
        thumbnails: JPEG by image, of the changes in `shown_changes`; empty bytes where a photo cannot be read.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    loaded = templates.environment()
    loaded.filters.update(fixed=fixed, base64=templates.base64_of, points=comparison_rows.points_text)
    text: str = loaded.get_template("comparison/comparison.html.j2").render(
        result=result,
        cards=_cards(result),
        rows=[*comparison_rows.source_rows(result), *comparison_rows.figure_rows(result)],
        most=_widest(result),
        difference_bar=difference_bar,
        spreads=_spreads(result),
        groups=change_groups(result),
        pairs=_pairs(result),
        most_pairs=MOST_PAIRS,
        thumbnails=thumbnails,
    )
    return templates.writable(text)


def change_groups(result: ComparisonResult) -> list[ChangeGroup]:
    """The crops that changed by who is right, as many of each as a page shows; kinds without a crop are left out."""
    kinds: tuple[tuple[str, str, bool, bool], ...] = (
        ("lost", "Lost: only A is right", True, False),
        ("won", "Won: only B is right", False, True),
        ("apart", "Both wrong, with different labels", False, False),
    )
    groups = []
    for anchor, title, a_right, b_right in kinds:
        found = [item for item in result.changes if (item.a == item.truth, item.b == item.truth) == (a_right, b_right)]
        if found:
            groups.append(ChangeGroup(anchor, title, tuple(found[:MOST_PHOTOS]), len(found)))
    return groups


def shown_changes(result: ComparisonResult) -> list[str]:
    """Names of the images whose photos the page shows."""
    return [item.image for group in change_groups(result) for item in group.changes]


def _cards(result: ComparisonResult) -> list[tuple[str, str, str]]:
    points, p = result.difference, result.counts.p_value
    between = f"B minus A, 95 % {100 * points.low:+.1f} – {100 * points.high:+.1f}"
    cards = [
        ("macro-F1", f"{100 * points.value:+.1f} points", between),
        ("McNemar", f"p {comparison_rows.p_text(p)}", f"{result.counts.disagreements:,} crops with different labels"),
    ]
    for item in result.latencies[:1]:
        ends = f"{item.ratio.low:.2f} – {item.ratio.high:.2f}"
        cards.append((item.what, f"{item.ratio.value:.2f}×", f"as fast as A, 95 % {ends}"))
    if size := _size(result.a, result.b):
        cards.append(size)
    return cards


def _size(a: ComparedClassifier, b: ComparedClassifier) -> tuple[str, str, str] | None:
    if not a.size_bytes or not b.size_bytes:
        return None
    return "size", f"{b.size_bytes / a.size_bytes:.2f}×", f"{a.size_bytes / 1e6:.2f} MB, {b.size_bytes / 1e6:.2f} MB"


def _widest(result: ComparisonResult) -> float:
    """The end of an interval of a class's difference that lies farthest from 0; 1 where there is none."""
    known = [row.difference for row in result.classes if row.difference]
    return max((max(abs(item.low), abs(item.high)) for item in known), default=0.0) or 1.0


def _spreads(result: ComparisonResult) -> list[tuple[str, str, str]]:
    """(what, sentence, drawing) of each latency whose distribution was kept."""
    drawn = []
    for item in result.latencies:
        both = [("A", item.a), ("B", item.b)]
        told = "; ".join(spread_sentence(*side) for side in both)
        if drawing := spread_chart(both):
            drawn.append((item.what, told, drawing))
    return drawn


def _pairs(result: ComparisonResult) -> list[tuple[str, str, str, int]]:
    """(class, label of A, label of B, crops) of the most frequent changes."""
    counted = Counter((item.truth, item.a, item.b) for item in result.changes)
    ordered = sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))
    return [(truth, a, b, count) for (truth, a, b), count in ordered[:MOST_PAIRS]]
