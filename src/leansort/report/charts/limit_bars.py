"""How much of its limit each stage reaches, as a picture of bars: time taken, and within it the time at the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leansort.core.writing.escaping import markup
from leansort.measure.timing.stage_limits import START, StageLimit

WIDTH, NAMES, FIGURES, ROW, BAR = 760, 190, 170, 26, 14
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.taken{fill:#c9d6e4}.limit{fill:#2f6f9f}.bundle{font-weight:600}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.taken{fill:#44556a}.limit{fill:#7fb8e0}}"
)


def limit_bars(limits: Mapping[str, Sequence[StageLimit]], machine: str) -> str:
    """Draw the stages of each bundle, but for the start of a program, whose time is of another order.

    Args:
        limits: by bundle.
        machine: the machine in a line.

    Returns:
        A whole SVG file.
    """
    shown = {name: [row for row in rows if row.stage != START] for name, rows in limits.items()}
    longest = max((row.ms for rows in shown.values() for row in rows), default=1.0) or 1.0
    parts, top = [f"<style>{_STYLE}</style>"], 20
    for name, rows in shown.items():
        parts.append(f'<text class="bundle" x="10" y="{top}">{markup(name)}</text>')
        for row in rows:
            top += ROW
            parts.append(_bar(row, top, (WIDTH - NAMES - FIGURES) / longest))
        top += ROW + 8
    parts.append(f'<text x="10" y="{top}">dark: at the limit of this machine, {markup(machine)}</text>')
    inner = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDTH} {top + 14}" width="{WIDTH}">\n'
        f"<title>Time of each stage, and its limit</title>\n{inner}\n</svg>\n"
    )


def _bar(row: StageLimit, top: int, scale: float) -> str:
    taken, limit = row.ms * scale, min(row.limit_ms, row.ms) * scale
    share = f"{row.share:.0%} of its limit" if row.limit_ms else "limit not known"
    return (
        f'<text x="22" y="{top}">{markup(row.stage)}</text>'
        f'<rect class="taken" x="{NAMES}" y="{top - BAR + 3}" width="{taken:.1f}" height="{BAR}"/>'
        f'<rect class="limit" x="{NAMES}" y="{top - BAR + 3}" width="{limit:.1f}" height="{BAR}"/>'
        f'<text x="{NAMES + taken + 8:.1f}" y="{top}">{row.ms:.3f} ms, {share}</text>'
    )
