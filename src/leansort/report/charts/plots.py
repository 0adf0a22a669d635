"""The page's drawings: small SVG strings without script, coloured by the page's CSS variables.

SVG rather than a picture: it stays sharp in print, follows light and dark, and weighs a few kB. Words are escaped
here: the templates take a drawing as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from leansort.core.writing.escaping import markup
from leansort.measure.accuracy.metrics import Interval
from leansort.measure.measurement import Measurement

Point = tuple[float, float]
WIDTH, HEIGHT = 480, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 40
MOST_HOVERS = 120  # more points than this lie closer together than a pointer can tell apart


def points(history: Sequence[Mapping[str, float | None]], key: str) -> list[Point]:
    """(epoch, value) of the epochs that have a finite value; a loss that blew up must not break the drawing."""
    pairs = ((record.get("epoch"), record.get(key)) for record in history)
    return [(float(x), float(y)) for x, y in pairs if finite(x) and finite(y)]


def finite(value: object) -> TypeGuard[float]:
    """Whether there is a number to show."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def curve(what: str, line: Sequence[Point], best: float | None = None, axis: str = "epoch") -> str:
    """Draw one curve, against the epoch unless said otherwise.

    Args:
        what: is drawn, for the labels.
        line: (epoch, value), at least two.
        best: the epoch to mark, where there is one.
        axis: what the curve is drawn against.

    Returns:
        An `<svg>` element.
    """
    ys = ticks(min(y for _, y in line), max(y for _, y in line))
    low, high = min(x for x, _ in line), max(x for x, _ in line)
    xs = [x for x in ticks(low, high, 6, whole=axis == "epoch") if low <= x <= high]
    placed = [(along(x, low, high), up(y, ys[0], ys[-1])) for x, y in line]
    ends = (f"{value:.3f} at {axis} {x:g}" for x, value in (line[0], line[-1]))
    what, axis = markup(what), markup(axis)
    label = f"{what} by {axis}: {', '.join(ends)}"
    parts = [
        *(grid(up(y, ys[0], ys[-1]), text_of(y, ys)) for y in ys),
        *(foot(along(x, low, high), f"{x:g}") for x in xs),
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 4}" text-anchor="middle">{axis}</text>',
        '<polyline class="line" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in placed) + '"/>',
        *(_mark(at, value) for at, value in zip(placed, line, strict=True) if value[0] == best),
        *_hovers(what, line, placed, axis),
    ]
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def ticks(low: float, high: float, about: int = 4, *, whole: bool = False) -> list[float]:
    """Round numbers that enclose low to high, `about` so many steps of 1, 2 or 5 times a power of ten apart."""
    if high - low < 1e-9 * max(1.0, abs(high)):
        margin = 0.1 * abs(high) or 0.5
        low, high = low - margin, high + margin
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    step = max(step, 1.0) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def text_of(value: float, all_ticks: Sequence[float]) -> str:
    """A tick as text, with the decimals that set it apart from its neighbours."""
    return f"{value:.{max(0, -math.floor(math.log10(all_ticks[1] - all_ticks[0]) + 1e-9))}f}"


def along(x: float, low: float, high: float) -> float:
    """Where a value lies across the drawing, from `low` at its left to `high` at its right."""
    return LEFT + (x - low) / max(high - low, 1e-9) * (WIDTH - LEFT - RIGHT)


def up(y: float, low: float, high: float) -> float:
    """Where a value lies up the drawing."""
    return HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def grid(y: float, text: str) -> str:
    """A line across, with its figure at the left."""
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="axis" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    )


def foot(x: float, text: str) -> str:
    """A figure below the drawing."""
    return f'<text class="axis" x="{x:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{text}</text>'


def _mark(at: Point, value: Point) -> str:
    x, y = at
    near_right, near_top = x > WIDTH * 0.72, y < TOP + 30
    text = f'x="{x + (-9 if near_right else 9):.1f}" y="{y + (22 if near_top else -12):.1f}"'
    return (
        f'<line class="kept" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
        f'<text class="callout" {text} text-anchor="{"end" if near_right else "start"}">'
        f"{value[1]:.3f} at epoch {value[0]:.0f}</text>"
    )


def _hovers(what: str, line: Sequence[Point], placed: Sequence[Point], axis: str) -> list[str]:
    """Unseen discs whose titles browsers show under the pointer."""
    return [
        f'<circle class="hover" cx="{x:.1f}" cy="{y:.1f}" r="6">'
        f"<title>{axis} {at:g}: {what} {value:.4f}</title></circle>"
        for (x, y), (at, value) in zip(placed, line, strict=True)
        if len(line) <= MOST_HOVERS
    ]


def f1_floor(f1: Sequence[float]) -> float:
    """Where the scale of `f1_marker` starts: bars from 0 would hide what sets good classes apart."""
    return max(0.0, math.floor((min(f1) - 0.02) * 10) / 10)


def f1_marker(f1: float, macro: Interval, floor: float, own: Interval | None = None) -> str:
    """A class's F1 on a scale from `floor` to 1, over the interval of macro-F1: who pulls the mean down.

    Args:
        f1: of the class.
        macro: the macro-F1.
        floor: where the scale begins.
        own: the class's interval, drawn as a thin line; None draws none.
    """
    ends = (own.low, own.high) if own else (f1, f1)
    at, low, high, left, right = (
        100 * max(0.0, value - floor) / (1 - floor) for value in (f1, macro.low, macro.high, *ends)
    )
    sure = f'<rect class="fill" x="{left:.1f}" y="4.5" width="{right - left:.1f}" height="1"/>' if own else ""
    return _bar(
        '<rect class="track" y="3" width="100" height="4"/>'
        f'<rect class="band" x="{low:.1f}" y="3" width="{max(high - low, 0.5):.1f}" height="4"/>{sure}'
        f'<rect class="fill" x="{min(at, 98.4):.1f}" width="1.6" height="10"/>'
    )


def latency_bar(measurement: Measurement, most: float) -> str:
    """The median as a full bar that thins out to p90 and p99, on a scale from 0 to `most`."""
    scale = 100 / most if most > 0 else 0.0
    tail = [measurement.percentiles.get(key, measurement.value) * scale for key in ("p99", "p90")]
    return _bar(
        '<rect class="track" width="100" height="10"/>'
        f'<rect class="faint" y="4" width="{tail[0]:.1f}" height="2"/>'
        f'<rect class="half" y="3" width="{tail[1]:.1f}" height="4"/>'
        f'<rect class="fill" y="1" width="{measurement.value * scale:.1f}" height="8"/>'
    )


def _bar(parts: str) -> str:
    # The figures stand beside the bar, so a screen reader is not told twice.
    return f'<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{parts}</svg>'
