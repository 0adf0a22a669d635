"""Words in a sentence."""

from __future__ import annotations

from leansort.core.text.word_lists import listed


def test_words_are_parted_by_commas_and_the_last_by_and() -> None:
    assert [listed("ABCD"[:count]) for count in range(5)] == ["", "A", "A and B", "A, B and C", "A, B, C and D"]
