"""Foreign text made harmless for the place where it is shown."""

from __future__ import annotations

import html
import json
import xml.etree.ElementTree as ET

import pytest
from markdown_it import MarkdownIt

from leansort.core.writing.escaping import (
    cell,
    cell_text,
    json_text,
    markdown,
    markdown_line,
    markup,
    printable,
    printable_lines,
)

HOSTILE = "<script>alert(1)</script>\"'&\x1b]0;x\x07\x1b[2J\x9b1m\u202egpj.exe\r\n|`[a](http://x)\udcff\u2028"


def test_text_for_a_terminal_holds_no_control_characters() -> None:
    shown = printable(HOSTILE)
    assert shown.isprintable()
    assert "\\x1b]0;x\\x07" in shown
    assert "\\u202egpj.exe\\r\\n" in shown
    assert printable("Papier mâché\u00a0플라스틱 🗑") == "Papier mâché\u00a0플라스틱 🗑"
    assert printable_lines("a\n\tb\x1b") == "a\n\tb\\x1b"


def test_markup_is_text_in_elements_and_attributes() -> None:
    root = ET.fromstring(f'<a b="{markup(HOSTILE)}">{markup(HOSTILE)}</a>')
    assert len(root) == 0
    assert root.text is not None
    assert "<script>" in root.text
    assert "<script>" in root.attrib["b"]


MARKDOWN = (
    "a|b",
    "[x](http://e)",
    "![x](y)",
    "[x][y]",
    "`rm`",
    "<b>",
    "&lt;",
    "*y*",
    "_x_",
    "~~z~~",
    "a\\|b",
    "<http://e>",
)
STARTS = (
    "# x",
    "- x",
    "+ x",
    "1. x",
    "2) x",
    "> x",
    "===",
    "---",
    "***",
    "    x",
    "```",
    "[x]: http://e",
    "a\n# b",
    "|a|",
)


def shown(text: str) -> str:
    """What a reader of Markdown sees, as HTML."""
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)).strip()


@pytest.mark.parametrize("text", [*MARKDOWN, *STARTS])
def test_markdown_shows_the_text(text: str) -> None:
    plain = html.escape(printable(text).strip(), quote=False)
    assert shown(markdown_line(text)).replace("&quot;", '"') == f"<p>{plain}</p>"
    table = shown(f"| {markdown(text)} |\n| --- |\n| {markdown(text)} |")
    assert table.count(f">{plain}</t") == 2
    assert (table.count("<td"), table.count("<th>"), table.count("<")) == (1, 1, 14)


def test_markdown_leaves_plain_text_as_it_is() -> None:
    for text in ("trash_bag", "Müll & Co. 3.5-4", "macro-F1 +0.5", "x [1, 2]", "-0.12"):
        assert markdown(text) == text
    assert markdown("https://e www.e.org") == r"https\://e www\.e.org"


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@x", "\t=", "\r", " =1", "'=1", "''-", "'a", "a=1", "", "'", "' x"]
)
def test_formulas_are_marked_and_unmarked(text: str) -> None:
    assert cell_text(cell(text)) == text
    assert not cell(text).strip().startswith(("=", "+", "-", "@"))


def test_json_is_equal_and_harmless() -> None:
    text = json_text({HOSTILE: [HOSTILE, 1.5]}, indent=2)
    assert json.loads(text) == {HOSTILE: [HOSTILE, 1.5]}
    assert printable_lines(text) == text
    with pytest.raises(ValueError, match=r"float values"):
        json_text(float("nan"))
