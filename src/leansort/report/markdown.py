"""Markdown tables that are as easily read as text."""

from __future__ import annotations

from collections.abc import Sequence

from leansort.core.writing.escaping import markdown


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table of plain text; every row has as many cells as the head."""
    head, *rows = [[markdown(cell) for cell in line] for line in (head, *rows)]
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        f"| {' | '.join(c.ljust(w) for c, w in zip(line, widths, strict=True))} |" for line in [head, rule, *rows]
    )
