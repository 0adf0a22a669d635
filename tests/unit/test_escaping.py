"""Foreign text made harmless for the place where it is shown."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from leansort.core.escaping import cell, cell_text, json_text, markdown, markup, printable, printable_lines

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


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a|b", r"a\|b"),
        ("[x](http://e)", r"\[x\](http\://e)"),
        ("![x](y)", r"!\[x\](y)"),
        ("`rm`", r"\`rm\`"),
        ("<b>", r"\<b\>"),
        ("&lt;", r"\&lt;"),
        ("# x", r"\# x"),
        ("- x", r"\- x"),
        ("1. x", r"1\. x"),
        ("trash_bag", "trash_bag"),
        ("_x_ *y*", r"\_x\_ \*y\*"),
        ("Müll & Co. 3.5-4", "Müll & Co. 3.5-4"),
    ],
)
def test_markdown_shows_the_text(text: str, written: str) -> None:
    assert markdown(text) in (written, written.replace(r"\\n", r"\\n"))


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
