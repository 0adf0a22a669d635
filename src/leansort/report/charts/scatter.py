"""Results of a search as a drawing: macro-F1 against a cost, with intervals, and the line of the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leansort.core.writing.escaping import markup
from leansort.report.charts.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, along, foot, grid, text_of, ticks, up


@dataclass(frozen=True)
class Dot:
    """One result.

    Attributes:
        x: the cost.
        y: macro-F1.
        name: shown under the pointer.
        style: `front`, `trained` or `stopped`.
        x_interval: 95 %, where it is known.
        y_interval: the same.
        link: id of what a click, or the enter key, leads to on the page; empty where it leads nowhere.
        here: whether it is the result that the page is about, which gets a ring.
        letter: written beside it; empty for nothing, as where there are too many to be told apart.
    """

    x: float
    y: float
    name: str
    style: str = "trained"
    x_interval: tuple[float, float] | None = None
    y_interval: tuple[float, float] | None = None
    link: str = ""
    here: bool = False
    letter: str = ""


def scatter(dots: Sequence[Dot], axis: str, limit: float | None = None, *, line: bool = True) -> str:
    """Draw results.

    Args:
        dots: at least one.
        axis: names the cost.
        limit: the most that is allowed, drawn as a line where it lies within.
        line: whether the front is one of this cost.

    Returns:
        An `<svg>` element.
    """
    ys = ticks(min(dot.y for dot in dots), max(dot.y for dot in dots))
    xs = ticks(min(dot.x for dot in dots), max(dot.x for dot in dots), 6)
    front = sorted((dot for dot in dots if dot.style == "front"), key=lambda dot: dot.x)
    steps = " ".join(
        f"{_x(b.x, xs):.1f},{up(a.y, ys[0], ys[-1]):.1f} {_x(b.x, xs):.1f},{up(b.y, ys[0], ys[-1]):.1f}"
        for a, b in zip([front[0], *front] if front else [], front, strict=False)
    )
    axis = markup(axis)
    label = f"macro-F1 by {axis}: {len(dots)} results, {len(front)} beaten by none"
    parts = [
        *(grid(up(y, ys[0], ys[-1]), text_of(y, ys)) for y in ys),
        *(foot(_x(x, xs), f"{x:g}") for x in xs),
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 4}" text-anchor="middle">{axis}</text>',
        *([_limit(_x(limit, xs))] if limit is not None and xs[0] <= limit <= xs[-1] else []),
        f'<polyline class="line" points="{steps}"/>' if front and line else "",
        *(_dot(dot, xs, ys) for dot in sorted(dots, key=lambda dot: dot.style == "front")),
    ]
    role = "group" if any(dot.link for dot in dots) else "img"  # an image's links would not be told by a screen reader
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="{role}" aria-label="{label}">{"".join(parts)}</svg>'


def _x(x: float, xs: Sequence[float]) -> float:
    return along(x, xs[0], xs[-1])


def _limit(x: float) -> str:
    return f'<line class="kept" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'


def _dot(dot: Dot, xs: Sequence[float], ys: Sequence[float]) -> str:
    x, y = _x(dot.x, xs), up(dot.y, ys[0], ys[-1])
    bars = ""
    if dot.style == "front":
        left, right = (_x(min(max(end, xs[0]), xs[-1]), xs) for end in dot.x_interval or (dot.x, dot.x))
        low, high = (up(min(max(end, ys[0]), ys[-1]), ys[0], ys[-1]) for end in dot.y_interval or (dot.y, dot.y))
        bars = (
            f'<line class="whisker" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
        )
    radius = 4.5 if dot.style == "front" else 3.5
    ring = f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="{radius + 4}"/>' if dot.here else ""
    circle = f'<circle class="dot {dot.style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}">'
    return _linked(dot, f"{bars}{ring}{circle}<title>{markup(dot.name)}</title></circle>{_letter(dot, x, y)}")


def _letter(dot: Dot, x: float, y: float) -> str:
    """Above the dot and to its right, or to its left at the drawing's right edge."""
    if not dot.letter:
        return ""
    side, anchor = (-8, "end") if x > WIDTH - RIGHT - 24 else (8, "start")
    return (
        f'<text class="callout" x="{x + side:.1f}" y="{y - 7:.1f}" text-anchor="{anchor}">{markup(dot.letter)}</text>'
    )


def _linked(dot: Dot, drawn: str) -> str:
    """A dot that leads somewhere can be reached by the tab key, and says its name in the drawing while it is."""
    if not dot.link:
        return drawn
    name = markup(dot.name)
    tip = f'<text class="tip" x="{LEFT + 4}" y="{TOP + 4}" aria-hidden="true">{name}</text>'
    return f'<a class="mark" href="#{markup(dot.link)}" aria-label="{name}">{drawn}{tip}</a>'
