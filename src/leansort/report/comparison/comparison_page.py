"""A comparison as one self-contained page: differences with intervals, what changed with its photos, latencies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leansort.measure.comparison import comparison_rows
from leansort.measure.comparison.class_differences import ClassDifference
from leansort.measure.comparison.comparison_result import ComparedClassifier, ComparisonResult
from leansort.report import templates
from leansort.report.charts.difference import difference_bar
from leansort.report.comparison.pair_parts import pair_parts
from leansort.report.page import fixed

Card = tuple[str, str, str]  # what, figure, note


def comparison_page(result: ComparisonResult, thumbnails: Mapping[str, bytes]) -> str:
    """Lay a comparison out as an HTML document.

    Args:
        result: of two classifiers.
        thumbnails: JPEG by image, of the changes in `shown_changes`; empty bytes where a photo cannot be read.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    latencies = [(item.what, item.a, item.b) for item in result.latencies]
    return render_comparison(
        "comparison/comparison.html.j2",
        result=result,
        cards=_cards(result),
        rows=[*comparison_rows.source_rows(result), *comparison_rows.figure_rows(result)],
        most=widest(result.classes),
        pair=pair_parts("A", "B", result.counts, latencies, result.changes),
        thumbnails=thumbnails,
    )


def render_comparison(template: str, **content: object) -> str:
    """Fill in a template of this room, with the filters and drawings that all of them use.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    loaded = templates.environment()
    loaded.filters.update(fixed=fixed, base64=templates.base64_of, points=comparison_rows.points_text)
    text: str = loaded.get_template(template).render(difference_bar=difference_bar, **content)
    return templates.writable(text)


def widest(classes: Iterable[ClassDifference]) -> float:
    """The end of an interval of a class's difference that lies farthest from 0; 1 where there is none."""
    known = [row.difference for row in classes if row.difference]
    return max((max(abs(item.low), abs(item.high)) for item in known), default=0.0) or 1.0


def _cards(result: ComparisonResult) -> list[Card]:
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


def _size(a: ComparedClassifier, b: ComparedClassifier) -> Card | None:
    if not a.size_bytes or not b.size_bytes:
        return None
    return "size", f"{b.size_bytes / a.size_bytes:.2f}×", f"{a.size_bytes / 1e6:.2f} MB, {b.size_bytes / 1e6:.2f} MB"
