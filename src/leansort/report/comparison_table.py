"""A comparison of two classifiers as a short table for the terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from leansort.core.writing.escaping import printable, printable_lines
from leansort.measure.comparison import comparison_rows
from leansort.measure.comparison.comparison_result import ComparedClassifier, ComparisonResult

WIDTH = 120  # of the table, in characters, whatever the terminal: the output of a pipe is the same


def comparison_text(result: ComparisonResult) -> str:
    """The table, what was left out of it, and the verdict as the last line."""
    lines = [f"{side}  {source_line(item)}" for side, item in (("A", result.a), ("B", result.b))]
    parts = [
        "\n".join(lines),
        laid_out(("", "A", "B", "B against A (95 %)"), comparison_rows.rows(result)),
        _disagreements(result),
    ]
    parts += [f"timed in turns on {result.machine}"] if result.machine else []
    parts += ["\n".join(result.remarks)] if result.remarks else []
    return "\n\n".join([*parts, result.verdict])


def source_line(item: ComparedClassifier) -> str:
    """Return a classifier's file, and what ran it."""
    run_by = f", {item.engine}, {item.threads} thread{'s' * (item.threads != 1)}" if item.engine else ""
    return printable(f"{item.path}: {item.kind}{run_by}{f', digest {item.digest}' if item.digest else ''}")


def _disagreements(result: ComparisonResult) -> str:
    counts = result.counts
    return (
        f"{result.crops:,} crops of {printable(result.truth)}: both right {counts.both_right:,}, "
        f"only A right {counts.only_a_right:,}, only B right {counts.only_b_right:,}, "
        f"same wrong label {counts.both_wrong_alike:,}, different wrong labels {counts.both_wrong_apart:,}; "
        f"they disagree on {counts.disagreements:,}"
    )


def laid_out(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of text, `WIDTH` characters wide at most; longer cells go on in the next line.

    Args:
        head: a word on each column, in lines where it is long.
        rows: a cell for each column.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in head:
        table.add_column(Text(printable_lines(name)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))  # as text: a class's name is no markup
    stream = io.StringIO()
    Console(file=stream, width=WIDTH, color_system=None, legacy_windows=False).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
