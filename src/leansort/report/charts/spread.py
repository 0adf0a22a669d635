"""How call times spread: the fraction of calls that were done within each time, one line a measurement."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from leansort.core.writing.escaping import markup
from leansort.measure.measurement import Measurement
from leansort.report.charts.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, finite, foot, grid, ticks

_STYLES = ("line", "line other", "line third")
_SLOWEST = 3.0  # times the largest p99: calls beyond are told in words, or the rest of the drawing were a wall


def spread_chart(measurements: Sequence[tuple[str, Measurement]]) -> str:
    """Draw cumulative distributions of latencies.

    Args:
        measurements: (name, latency in ms whose quantiles were kept), one to three.

    Returns:
        An `<svg>` element; empty where no quantiles are there.
    """
    shown = [
        (name, item) for name, item in measurements if len(item.quantiles) > 1 and all(map(finite, item.quantiles))
    ]
    if not shown:
        return ""
    most = max(min(item.quantiles[-1], _SLOWEST * item.percentiles.get("p99", item.value)) for _, item in shown)
    xs = ticks(0.0, most, 6)
    parts = [grid(_y(share), f"{100 * share:.0f} %") for share in (0.0, 0.5, 0.9, 1.0)]
    parts += [foot(_x(x, xs[-1]), f"{x:g}") for x in xs]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="axis" x="{middle:.0f}" y="{HEIGHT - 4}" text-anchor="middle">ms</text>')
    parts += [_line(name, item, xs[-1], style) for (name, item), style in zip(shown, _STYLES, strict=False)]
    label = markup("fraction of calls done within each time: " + "; ".join(spread_sentence(*each) for each in shown))
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def spread_sentence(name: str, item: Measurement) -> str:
    """A distribution in words: `decode to label: half within 3.10 ms, 99 % within 5.20 ms, slowest of 1,000 12.00`."""
    p99 = item.percentiles.get("p99")
    tail = f", 99 % within {p99:.3g} ms" if finite(p99) else ""
    last = f", slowest of {item.count:,} {item.quantiles[-1]:.3g} ms" if item.quantiles else ""
    return f"{name}: half within {item.value:.3g} ms{tail}{last}"


def _line(name: str, item: Measurement, most: float, style: str) -> str:
    times, last = item.quantiles, len(item.quantiles) - 1
    kept = times[: bisect.bisect_right(times, most)]
    points = " ".join(f"{_x(time, most):.1f},{_y(at / last):.1f}" for at, time in enumerate(kept))
    hovers = "".join(
        f'<circle class="hover" cx="{_x(time, most):.1f}" cy="{_y(at / last):.1f}" r="5">'
        f"<title>{markup(name)}: {100 * at / last:g} % within {time:.4g} ms</title></circle>"
        for at, time in enumerate(kept)
    )
    return f'<polyline class="{style}" points="{points}"/>{hovers}'


def _x(time: float, most: float) -> float:
    return LEFT + time / most * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
