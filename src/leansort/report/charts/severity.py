"""Severity curves: macro-F1 against the level of a corruption, a line for each bundle, from clean at the left."""

from __future__ import annotations

from collections.abc import Sequence

from leansort.core.writing.escaping import markup
from leansort.measure.robustness.stress_result import KindScore

WIDTH, HEIGHT = 240, 140
LEFT, RIGHT, TOP, BOTTOM = 30, 8, 8, 22
_LEVELS = 5
_STYLES = ("line", "line other")


def severity_plot(curves: Sequence[tuple[str, KindScore]]) -> str:
    """Draw the curves of one kind.

    Args:
        curves: (name of the bundle, its scores), one or two.

    Returns:
        An `<svg>` element.
    """
    parts = [_grid(value) for value in (0.0, 0.5, 1.0)]
    parts += [
        f'<text class="axis" x="{_x(level):.1f}" y="{HEIGHT - 5}" text-anchor="middle">{level or "clean"}</text>'
        for level in range(_LEVELS + 1)
    ]
    parts += [_curve(name, scores, style) for (name, scores), style in zip(curves, _STYLES, strict=False)]
    label = "; ".join(f"{name}: {_told(scores)}" for name, scores in curves)
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{markup(label)}">'
        f"{''.join(parts)}</svg>"
    )


def _told(scores: KindScore) -> str:
    return ", ".join(f"{score.macro_f1.value:.3f} at {score.level}" for score in (scores.clean, *scores.levels))


def _curve(name: str, scores: KindScore, style: str) -> str:
    points = [(_x(score.level), _y(score.macro_f1.value), score) for score in (scores.clean, *scores.levels)]
    whiskers = [
        f'<line class="whisker {style}" x1="{x:.1f}" x2="{x:.1f}" y1="{_y(score.macro_f1.low):.1f}" '
        f'y2="{_y(score.macro_f1.high):.1f}"/>'
        for x, _, score in points
    ]
    dots = [
        f'<circle class="dot {style}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{markup(name)}, level {score.level}: '
        f"{markup(str(score.macro_f1))}</title></circle>"
        for x, y, score in points
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    return f'{"".join(whiskers)}<polyline class="{style}" points="{line}"/>{"".join(dots)}'


def _grid(value: float) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(value):.1f}" y2="{_y(value):.1f}"/>'
        f'<text class="axis" x="{LEFT - 5}" y="{_y(value) + 4:.1f}" text-anchor="end">{value:g}</text>'
    )


def _x(level: float) -> float:
    return LEFT + 12 + level / _LEVELS * (WIDTH - LEFT - RIGHT - 20)


def _y(value: float) -> float:
    return HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM)
