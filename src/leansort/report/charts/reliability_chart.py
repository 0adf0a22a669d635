"""Confidence against accuracy, and accuracy against coverage: both with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence

from leansort.measure.accuracy.reliability import AcceptedFraction, ReliabilityBin
from leansort.report.charts.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, foot, grid, text_of, ticks

_FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def reliability_chart(bins: Sequence[ReliabilityBin]) -> str:
    """Draw how often labels of each confidence are right, beside the diagonal of a network that is calibrated."""
    most = max(item.count for item in bins)
    parts = [*(grid(_y(y, 0, 1), f"{y:g}") for y in _FIFTHS), *(foot(_x(x), f"{x:g}") for x in _FIFTHS)]
    parts.append(
        f'<line class="kept" x1="{_x(0):.1f}" y1="{_y(0, 0, 1):.1f}" x2="{_x(1):.1f}" y2="{_y(1, 0, 1):.1f}"/>'
    )
    for item in bins:
        told = (
            f"mean confidence {item.confidence:.3f}: {item.accuracy:.3f} right "
            f"({item.low:.3f} – {item.high:.3f}) of {item.count:,}"
        )
        radius = 3 + 5 * (item.count / most) ** 0.5
        parts.append(_point(_x(item.confidence), (item.accuracy, item.low, item.high), (0, 1), radius, told))
    label = f"accuracy by confidence, {len(bins)} points; the dashed line is where both are equal"
    return _drawing(parts, "confidence", label)


def accepted_chart(fractions: Sequence[AcceptedFraction]) -> str:
    """Draw the accuracy of the surest labels against the fraction that they are."""
    ys = ticks(min(item.low for item in fractions), max(item.high for item in fractions))
    ends = (ys[0], ys[-1])
    parts = [*(grid(_y(y, *ends), text_of(y, ys)) for y in ys)]
    parts += [foot(_x(item.coverage), f"{100 * item.coverage:.0f}") for item in fractions if item.coverage != 0.95]
    line = " ".join(f"{_x(item.coverage):.1f},{_y(item.accuracy, *ends):.1f}" for item in fractions)
    parts.append(f'<polyline class="line" points="{line}"/>')
    for item in fractions:
        told = f"{100 * item.coverage:.0f} % accepted: {item.accuracy:.4f} right ({item.low:.4f} – {item.high:.4f})"
        parts.append(_point(_x(item.coverage), (item.accuracy, item.low, item.high), ends, 4, told))
    first, last = fractions[0], fractions[-1]
    label = (
        f"accuracy {first.accuracy:.3f} of all labels, {last.accuracy:.3f} of the surest {100 * last.coverage:.0f} %"
    )
    return _drawing(parts, "% accepted", label)


def _point(x: float, y: tuple[float, float, float], ends: tuple[float, float], radius: float, told: str) -> str:
    value, low, high = (_y(part, *ends) for part in y)
    return (
        f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
        f'<circle class="dot" cx="{x:.1f}" cy="{value:.1f}" r="{radius:.1f}"><title>{told}</title></circle>'
    )


def _drawing(parts: Sequence[str], axis: str, label: str) -> str:
    middle = (LEFT + WIDTH - RIGHT) / 2
    name = f'<text class="axis" x="{middle:.0f}" y="{HEIGHT - 4}" text-anchor="middle">{axis}</text>'
    drawn = "".join([*parts, name])
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{drawn}</svg>'


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(value: float, low: float, high: float) -> float:
    return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
