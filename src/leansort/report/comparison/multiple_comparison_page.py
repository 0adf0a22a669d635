"""A comparison of several classifiers as one page: an overview, Pareto plots, classes, and each against the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from leansort.core.text.word_lists import listed
from leansort.measure.comparison import comparison_rows, multiple_comparison_rows
from leansort.measure.comparison.multiple_comparison import MultipleComparisonResult
from leansort.measure.comparison.reference_comparison import ComparedMember, ReferenceComparison
from leansort.report.charts.scatter import Dot, scatter
from leansort.report.comparison.comparison_page import Card, render_comparison
from leansort.report.comparison.pair_parts import PairParts, pair_parts

Cost = Callable[[ComparedMember], tuple[float, tuple[float, float]] | None]  # with its 95 % interval


def multiple_comparison_page(result: MultipleComparisonResult, thumbnails: Mapping[str, bytes]) -> str:
    """Lay a comparison of several out as an HTML document.

    Args:
        result: of the classifiers.
        thumbnails: JPEG by image, of each one's changes in `shown_changes`; empty bytes where a photo cannot be read.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    sources = multiple_comparison_rows.sources(result)
    return render_comparison(
        "comparison/multiple_comparison.html.j2",
        result=result,
        cards=_cards(result),
        overview=multiple_comparison_rows.overview(result),
        sources=list(zip(sources.head, *sources.rows, strict=True))[1:],
        paths={member.name: member.classifier.path for member in result.members},
        plots=_pareto_plots(result),
        criteria=listed(result.front_criteria),
        classes=list(zip(*(other.classes for other in result.others), strict=True)),
        pairs=[(other, _pair(result.reference, other)) for other in result.others],
        thumbnails=thumbnails,
    )


def _cards(result: MultipleComparisonResult) -> list[Card]:
    """The best of each figure, by its value."""
    best = max(result.members, key=lambda member: member.classifier.macro_f1.value)
    f1 = best.classifier.macro_f1
    cards = [("highest macro-F1", best.name, comparison_rows.interval_text(f1))]
    if timed := [member for member in result.members if member.latencies]:
        fastest = min(timed, key=lambda member: member.latencies[0].value)
        percentiles = comparison_rows.ms_text(fastest.latencies[0].percentiles)
        cards.append(
            (
                f"fastest, {comparison_rows.latency_title(fastest.latencies[0])}",
                fastest.name,
                f"p50 (p99) {percentiles}",
            )
        )
    if sized := [(size, member.name) for member in result.members if (size := member.classifier.size_bytes)]:
        size, name = min(sized)
        cards.append(("smallest", name, f"{size / 1e6:.2f} MB"))
    if result.front:
        cards.append(("Pareto front", ", ".join(item.name for item in result.front), listed(result.front_criteria)))
    return cards


def _pareto_plots(result: MultipleComparisonResult) -> list[tuple[str, str]]:
    """(caption, drawing) of macro-F1 against each cost that the front is of."""
    costs: dict[str, tuple[str, Cost]] = {
        "latency": ("decode to label, median in ms", _latency),
        "size": ("size, MB", _size),
    }
    return [
        (f"Macro-F1 against {axis}", scatter(_dots(result, axis, cost), axis, line=len(result.front_criteria) == 2))
        for name, (axis, cost) in costs.items()
        if name in result.front_criteria
    ]


def _dots(result: MultipleComparisonResult, axis: str, cost: Cost) -> list[Dot]:
    return [
        Dot(
            known[0],
            member.classifier.macro_f1.value,
            f"{member.name}: macro-F1 {member.classifier.macro_f1.value:.4f}, {axis} {known[0]:.4g}",
            "front" if member.on_front else "trained",
            x_interval=known[1],
            y_interval=(member.classifier.macro_f1.low, member.classifier.macro_f1.high),
            link=f"classifier-{member.name}",
            letter=member.name,
        )
        for member in result.members
        if (known := cost(member))
    ]


def _latency(member: ComparedMember) -> tuple[float, tuple[float, float]] | None:
    return next(((item.value, (item.low, item.high)) for item in member.latencies[:1]), None)


def _size(member: ComparedMember) -> tuple[float, tuple[float, float]] | None:
    size = member.classifier.size_bytes
    return (size / 1e6, (size / 1e6, size / 1e6)) if size else None


def _pair(reference: ComparedMember, other: ReferenceComparison) -> PairParts:
    both = zip(reference.latencies, other.member.latencies, strict=False)
    latencies = [(comparison_rows.latency_title(first), first, second) for first, second in both]
    return pair_parts(reference.name, other.member.name, other.counts, latencies, other.changes)
