"""Plots as inline SVG, coloured by the page's own CSS variables, so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 520, 220, 46, 30, 14, 14


@dataclass(frozen=True)
class _Axes:
    xs: Sequence[float]
    low: float
    high: float

    def x(self, value: float) -> float:
        first, last = self.xs[0], self.xs[-1]
        share = (value - first) / (last - first) if last > first else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)


def curve(history: Sequence[dict[str, Any]], key: str, title: str, *, mark_best: bool = False) -> str:
    """Draw one figure of every epoch as a line.

    Args:
        history: one record an epoch, with `epoch` and `key`.
        key: which figure.
        title: what it is, for people and screen readers.
        mark_best: put a dot and its value at the highest point.

    Returns:
        An `<svg>` element; empty where there is no history.
    """
    if not history:
        return ""
    xs, ys = [float(r["epoch"]) for r in history], [float(r[key]) for r in history]
    margin = (max(ys) - min(ys)) * 0.08 or 0.05
    axes = _Axes(xs, min(ys) - margin, max(ys) + margin)
    points = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in zip(xs, ys, strict=True))
    parts = [_grid(axes), f'<polyline class="line" points="{points}"/>']
    if mark_best or len(ys) == 1:
        parts.append(_dot(axes, *max(zip(xs, ys, strict=True), key=lambda point: point[1])))
    label = escape(title, quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _grid(axes: _Axes) -> str:
    parts = []
    for step in range(5):
        value = axes.low + (axes.high - axes.low) * step / 4
        y = axes.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>')
    for epoch in sorted({axes.xs[0], axes.xs[len(axes.xs) // 2], axes.xs[-1]}):
        parts.append(f'<text class="tick" x="{axes.x(epoch):.1f}" y="{HEIGHT - 9}" text-anchor="middle">{epoch:.0f}</text>')
    return "".join(parts)


def _dot(axes: _Axes, x: float, y: float) -> str:
    left = axes.x(x) > WIDTH * 0.75
    anchor, shift = ("end", -9) if left else ("start", 9)
    return (
        f'<circle class="dot" cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="4"/>'
        f'<text class="best" x="{axes.x(x) + shift:.1f}" y="{axes.y(y) + 18:.1f}" text-anchor="{anchor}">'
        f"{y:.3f} at epoch {x:.0f}</text>"
    )
