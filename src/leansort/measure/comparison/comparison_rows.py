"""The rows of a comparison as text: for the terminal's table and for a notebook's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from leansort.measure.accuracy.metrics import Interval
from leansort.measure.comparison.class_differences import ClassDifference

if TYPE_CHECKING:  # that type shows itself by these rows
    from leansort.measure.comparison.comparison_result import (
        ComparedClassifier,
        ComparisonResult,
        LatencyComparison,
    )
    from leansort.measure.measurement import Measurement

Row = tuple[str, str, str, str]


def rows(result: ComparisonResult) -> list[Row]:
    """Return what is compared, A, B, and B against A with its 95 % interval."""
    return [*figure_rows(result), *map(_class_row, result.classes)]


def figure_rows(result: ComparisonResult) -> list[Row]:
    """Return the same without the rows of classes."""
    a, b, p = result.a, result.b, result.counts.p_value
    return [
        (
            f"macro-F1 {result.macro_f1_classes}",
            interval_text(a.macro_f1),
            interval_text(b.macro_f1),
            points_text(result.difference),
        ),
        ("accuracy", f"{a.accuracy:.4f}", f"{b.accuracy:.4f}", f"McNemar's exact p = {p_text(p)}"),
        *map(_latency_row, result.latencies),
        *_size_rows(a, b),
    ]


def source_rows(result: ComparisonResult) -> list[Row]:
    """Return the files, and what ran them."""
    a, b = result.a, result.b
    files = [("file", f"{a.path} ({a.kind})", f"{b.path} ({b.kind})", "")]
    return [*files, ("engine", engine_text(a), engine_text(b), "")] if a.engine or b.engine else files


def engine_text(side: ComparedClassifier) -> str:
    """What ran a bundle, as `openvino, 1 thread`; a dash where nothing did."""
    return f"{side.engine}, {side.threads} thread{'s' * (side.threads != 1)}" if side.engine else "–"


def _latency_row(latency: LatencyComparison) -> Row:
    times = ratio_text(latency.ratio, " times as fast")
    return f"{latency.what}, p50 (p99)", ms_text(latency.a.percentiles), ms_text(latency.b.percentiles), times


def _size_rows(a: ComparedClassifier, b: ComparedClassifier) -> list[Row]:
    """What both files state; a row only where both do."""
    result: list[Row] = []
    if a.size_bytes and b.size_bytes:
        times = f"{b.size_bytes / a.size_bytes:.2f} times the bytes"
        result.append(("size", f"{a.size_bytes / 1e6:.2f} MB", f"{b.size_bytes / 1e6:.2f} MB", times))
    if a.parameters and b.parameters:
        times = f"{b.parameters / a.parameters:.2f} times the weights"
        result.append(("parameters", f"{a.parameters:,}", f"{b.parameters:,}", times))
    if a.macs and b.macs:
        times = f"{b.macs / a.macs:.2f} times the work"
        result.append(("multiply-adds", f"{a.macs / 1e6:.1f} M", f"{b.macs / 1e6:.1f} M", times))
    if a.stated_seconds is not None and b.stated_seconds is not None:
        row = ("seconds, as the files state", f"{a.stated_seconds:.2f}", f"{b.stated_seconds:.2f}", "not measured here")
        result.append(row)
    return result


def _class_row(item: ClassDifference) -> Row:
    if item.a is None or item.b is None or item.difference is None:
        return class_title(item), "–", "–", "–"
    return class_title(item), f"{item.a:.4f}", f"{item.b:.4f}", points_text(item.difference)


def class_title(item: ClassDifference) -> str:
    """A class with its crops, as `F1 of trash (17, few)`."""
    few = ", few" if item.few else ""
    return f"F1 of {item.name} ({f'{item.support:,}{few}' if item.support else 'no crop'})"


def interval_text(value: Interval) -> str:
    """A macro-F1 as `0.9438 (0.9125 – 0.9703)`."""
    return f"{value.value:.4f} ({value.low:.4f} – {value.high:.4f})"


def points_text(difference: Interval, unit: str = " points") -> str:
    """A difference as `+1.2 points (-0.3 – +2.5)`."""
    return f"{100 * difference.value:+.1f}{unit} ({100 * difference.low:+.1f} – {100 * difference.high:+.1f})"


def points_words(difference: Interval) -> str:
    """A difference as `higher by 4.9 ± 4.6 points`; empty where its interval holds 0."""
    if difference.low <= 0 <= difference.high:
        return ""
    points, half = 100 * difference.value, 50 * (difference.high - difference.low)
    return f"{'higher' if points > 0 else 'lower'} by {abs(points):.1f} ± {half:.1f} points"


def ratio_text(ratio: Interval, unit: str = "") -> str:
    """How many times as fast, as `1.90 (1.85 – 1.95)`."""
    return f"{ratio.value:.2f}{unit} ({ratio.low:.2f} – {ratio.high:.2f})"


def ratio_words(ratio: Interval) -> str:
    """How many times as fast, as `faster by 1.9 times`; empty where its interval holds 1."""
    if ratio.low <= 1 <= ratio.high:
        return ""
    return f"faster by {_times(ratio.value)} times" if ratio.low > 1 else f"slower by {_times(1 / ratio.value)} times"


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio >= 1.1 else f"{ratio:.2f}"


def p_text(value: float) -> str:
    """A probability as `0.042` or `1.2e-05`."""
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


def ms_text(percentiles: Mapping[str, float], unit: str = " ms") -> str:
    """A latency's median and 99th percentile, as `1.234 ms (2.345)`."""
    return f"{percentiles['p50']:.3f}{unit} ({percentiles['p99']:.3f})"


def latency_title(latency: Measurement) -> str:
    """What a side's latency is of: that named `A: model alone` is the model alone of A."""
    return latency.name.partition(": ")[2]
