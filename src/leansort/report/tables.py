"""Reports that are cards, drawings and tables: as a page and as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leansort.core.writing import escaping
from leansort.report import markdown
from leansort.report.templates import environment, writable


@dataclass(frozen=True)
class Table:
    """One table of the page.

    Attributes:
        title: its heading.
        hint: a sentence under the heading.
        head: names of the columns; the first one's cells are words, the others' are figures unless in `words`.
        rows: cells as text.
        words: columns whose cells are words.
    """

    title: str
    hint: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: tuple[int, ...] = ()


def as_text(tables: Sequence[Table], warning: str = "") -> str:
    """The tables as Markdown."""
    parts = [f"{table.title}\n\n{markdown.table(table.head, table.rows)}" for table in tables]
    return "\n\n".join([*parts, *([f"Warning: {escaping.markdown(warning)}."] if warning else [])])


def render_page(
    over: str,
    title: str,
    lead: str,
    cards: Sequence[tuple[str, str, str]],
    tables: Sequence[Table],
    *,
    drawings: Sequence[tuple[str, str]] = (),
    warning: str = "",
) -> str:
    """A page.

    Args:
        over: the command whose report it is.
        title: the heading.
        lead: a sentence under it.
        cards: name, figure and note of each.
        tables: below them.
        drawings: name and SVG of each, between both.
        warning: for whoever trusts the figures.
    """
    page: str = (
        environment()
        .get_template("tables.html.j2")
        .render(over=over, title=title, lead=lead, cards=cards, tables=tables, drawings=drawings, warning=warning)
    )
    return writable(page)
