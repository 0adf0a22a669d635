"""A picture of a network: one line a part, bars for what it costs, arcs for what it reads besides the part before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from leansort.report.templates import environment, writable

if TYPE_CHECKING:
    from leansort.arch.analysis.summary import Part, PartTotals

LINE = 22  # pixels
TOP = 78
BAR = 180
COLUMNS = ("parameters", "macs", "memory")


def draw_architecture(parts: Sequence[Part], totals: PartTotals, title: str) -> str:
    """Draw a network.

    Args:
        parts: of the network, in the order they run.
        totals: sums of parameters and multiply-adds, and the most memory.
        title: above the picture.

    Returns:
        An SVG document, readable on light and dark ground.
    """
    most = {key: max(1, *(getattr(part, key) for part in parts)) for key in COLUMNS}
    lines = [
        {
            **asdict(part),
            "y": TOP + number * LINE,
            "shape": " × ".join(map(str, part.out)),
            "bars": [BAR * getattr(part, key) / most[key] for key in COLUMNS],
        }
        for number, part in enumerate(parts)
    ]
    text: str = (
        environment()
        .get_template("architecture.svg.j2")
        .render(
            lines=lines,
            arcs=_arcs(parts),
            totals=totals,
            title=title,
            bar=BAR,
            line=LINE,
            height=TOP + len(parts) * LINE + 46,
            bottom=TOP + len(parts) * LINE,
        )
    )
    return writable(text)


def _arcs(parts: Sequence[Part]) -> list[dict[str, float]]:
    """What a part reads besides the one before it, as arcs on the left; longer ones reach further out."""
    at = {"input": -1, **{part.name: number for number, part in enumerate(parts)}}
    arcs = []
    for number, part in enumerate(parts):
        for name in part.reads:
            if at[name] < number - 1:
                reach = min(60.0, 10.0 + 4.0 * (number - at[name]))
                arcs.append({"start": TOP + at[name] * LINE, "end": TOP + number * LINE, "reach": reach})
    return arcs
