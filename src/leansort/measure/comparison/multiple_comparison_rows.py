"""The rows of a comparison of several classifiers as text: for the terminal, a page and a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leansort.measure.comparison import comparison_rows

if TYPE_CHECKING:  # that type shows itself by these rows
    from leansort.measure.comparison.multiple_comparison import MultipleComparisonResult
    from leansort.measure.comparison.reference_comparison import ComparedMember, ReferenceComparison

NONE = "–"


@dataclass(frozen=True)
class TextTable:
    """A table as text.

    Attributes:
        head: a word on each column, in lines where it is long.
        rows: a cell for each column.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def overview(result: MultipleComparisonResult) -> TextTable:
    """Return a row a classifier: macro-F1, the difference and McNemar's p, size, latency, speed, Pareto front.

    Intervals are 95 % ones. Heads have two lines; a column that no classifier has a figure for is left out.
    """
    a = result.reference.name
    what = next(
        (comparison_rows.latency_title(member.latencies[0]) for member in result.members if member.latencies), ""
    )
    head = (
        "",
        f"macro-F1\n{result.macro_f1_classes}",
        f"points\nagainst {a}",
        "p\n(Holm)",
        "MB",
        f"{what},\nms p50 (p99)",
        f"times as fast\nas {a}",
        "Pareto\nfront",
    )
    rows = [_overview_row(result.reference, None), *(_overview_row(other.member, other) for other in result.others)]
    return _without_empty(head, rows)


def sources(result: MultipleComparisonResult) -> TextTable:
    """Return a row a classifier: its file, what ran it, and what the file states or was measured of it."""
    latencies = next((member.latencies for member in result.members if member.latencies), ())
    timed = [f"{comparison_rows.latency_title(item)}, p50 (p99)" for item in latencies]
    head = ("", "file", "kind", "engine", "accuracy", "size", "parameters", "multiply-adds", "stated seconds", *timed)
    return _without_empty(head, [_source_row(member, len(timed)) for member in result.members])


def class_scores(result: MultipleComparisonResult) -> TextTable:
    """Return a row a class: its crops, and its F1 by each classifier."""
    rows = [
        (comparison_rows.class_title(each[0]), *(_f1(value) for value in (each[0].a, *(item.b for item in each))))
        for each in zip(*(other.classes for other in result.others), strict=True)
    ]
    return TextTable(("", *(member.name for member in result.members)), tuple(rows))


def _overview_row(member: ComparedMember, other: ReferenceComparison | None) -> tuple[str, ...]:
    size = member.classifier.size_bytes
    return (
        member.name,
        comparison_rows.interval_text(member.classifier.macro_f1),
        comparison_rows.points_text(other.difference, unit="") if other else "",
        comparison_rows.p_text(other.adjusted_p) if other else "",
        f"{size / 1e6:.2f}" if size else "",
        *([comparison_rows.ms_text(item.percentiles, unit="") for item in member.latencies[:1]] or [""]),
        *([comparison_rows.ratio_text(ratio) for ratio in other.ratios[:1]] if other and other.ratios else [""]),
        {True: "yes", False: "no", None: ""}[member.on_front],
    )


def _source_row(member: ComparedMember, latencies: int) -> tuple[str, ...]:
    item = member.classifier
    return (
        member.name,
        item.path,
        item.kind,
        comparison_rows.engine_text(item) if item.engine else "",
        f"{item.accuracy:.4f}",
        f"{item.size_bytes / 1e6:.2f} MB" if item.size_bytes else "",
        f"{item.parameters:,}" if item.parameters else "",
        f"{item.macs / 1e6:.1f} M" if item.macs else "",
        "" if item.stated_seconds is None else f"{item.stated_seconds:.2f}",
        *([comparison_rows.ms_text(timed.percentiles) for timed in member.latencies] or [""] * latencies),
    )


def _f1(value: float | None) -> str:
    return NONE if value is None else f"{value:.4f}"


def _without_empty(head: Sequence[str], rows: Iterable[tuple[str, ...]]) -> TextTable:
    """Leave out the columns without a figure; a cell without one is a dash."""
    rows = list(rows)
    kept = [at for at in range(len(head)) if at == 0 or any(row[at] for row in rows)]
    return TextTable(tuple(head[at] for at in kept), tuple(tuple(row[at] or NONE for at in kept) for row in rows))
