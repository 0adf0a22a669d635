"""A waterfall: a quantity before a chain of passes, what each takes off or adds, and what is left."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from leansort.core.writing.escaping import markup

WIDTH, ROW, TOP, LEFT, RIGHT = 480, 30, 6, 128, 66
_LONGEST = 17  # letters of a name that fit beside the bars


def waterfall(what: str, values: Sequence[tuple[str, float]], unit: str) -> str:
    """Draw the quantity after each pass.

    Args:
        what: the quantity, for the label.
        values: (name of the pass, quantity after it), the start first; at least two.
        unit: of the quantity.

    Returns:
        An `<svg>` element: a full bar for the start and for the end, and for each pass a bar of its change.
    """
    most = max(value for _, value in values)
    end = values[-1][1]
    changes = list(itertools.pairwise(values))
    rows = [_row(0, values[0][0], 0.0, values[0][1], most, "track-bar", _text(values[0][1], unit))]
    for at, ((_, before), (name, after)) in enumerate(changes, 1):
        style = "fill" if after <= before else "worse"
        change = f"{_signed(after - before)} {unit}"
        rows.append(_row(at, name, min(before, after), max(before, after), most, style, change))
    rows.append(_row(len(values), "left", 0.0, end, most, "track-bar", _text(end, unit)))
    height = TOP + ROW * len(rows)
    told = ", ".join(f"{name} {_text(value, unit)}" for name, value in values)
    label = markup(f"{what} after each pass: {told}")
    box = f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}"'
    return f'<svg class="plot falls" {box}>{"".join(rows)}</svg>'


def _row(at: int, name: str, low: float, high: float, most: float, style: str, text: str) -> str:
    y = TOP + ROW * at
    x, far = (LEFT + value / most * (WIDTH - LEFT - RIGHT) if most > 0 else LEFT for value in (low, high))
    short = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
    return (
        f'<text class="axis" x="{LEFT - 8}" y="{y + 18}" text-anchor="end">{markup(short)}</text>'
        f'<rect class="{style}" x="{x:.1f}" y="{y + 4}" width="{max(far - x, 1):.1f}" height="{ROW - 10}">'
        f"<title>{markup(name)}: {text}</title></rect>"
        f'<text class="axis" x="{far + 6:.1f}" y="{y + 18}">{text}</text>'
    )


def _text(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}"


def _signed(change: float) -> str:
    return f"{change:+.2g}".replace("-", "−")
