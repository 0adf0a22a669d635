"""Tables for the terminal: plain, aligned, one line a row however long."""

from __future__ import annotations

from leansort.core.text.columns import align_columns


def test_columns_begin_at_the_left_or_end_at_the_right() -> None:
    text = align_columns([["name", "x", "note"], ["ab", "22,222", ""], ["abcdef", "1", "z"]], left=1)
    assert text.splitlines() == ["name         x  note", "ab      22,222", "abcdef       1     z"]
    assert align_columns([["a", "b"], ["aa", "c"]], left=2) == "a   b\naa  c"


def test_nothing_is_wrapped_coloured_or_taken_for_markup() -> None:
    long = "x" * 5000
    text = align_columns([[long, "[red]1[/red]"], [":smile:", "https://a.b"]], left=2)
    assert text == f"{long}  [red]1[/red]\n:smile:{' ' * 4993}  https://a.b"


def test_wide_characters_take_two_places_and_control_characters_are_shown() -> None:
    assert align_columns([["紙", "1"], ["abcd", "2"], ["a\x1b[1m", "3"]], left=1).splitlines() == [
        "紙        1",
        "abcd      2",
        "a\\x1b[1m  3",
    ]


def test_no_rows_are_no_text() -> None:
    assert align_columns([], left=1) == ""
