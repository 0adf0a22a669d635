"""Tables for the terminal that scripts read as easily: plain text, one line a row, nothing wrapped or coloured."""

from __future__ import annotations

import io
from collections.abc import Sequence

from leansort.core.writing.escaping import printable

_WIDTH = 1_000_000  # characters of a line; wider than any, so that nothing is wrapped


def align_columns(rows: Sequence[Sequence[str]], left: int) -> str:
    """Lay out rows in columns of equal width, two spaces apart.

    Args:
        rows: the cells of each row, the head first; all rows have as many.
        left: so many columns begin at the left; the others, of numbers, end at the right.

    Returns:
        A line for each row, without spaces at its end. Widths are those that a terminal shows, also of wide characters.
    """
    from rich.console import Console  # here: commands that print no table start without it
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for at in range(len(rows[0]) if rows else 0):
        table.add_column(justify="left" if at < left else "right", no_wrap=True, overflow="crop")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(
        file=io.StringIO(), width=_WIDTH, color_system=None, force_terminal=False, legacy_windows=False, record=False
    )
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
