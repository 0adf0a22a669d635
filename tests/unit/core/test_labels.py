"""Class names: one spelling for each class, and an error where two spellings are doubtful."""

from __future__ import annotations

import pytest

from leansort.core.errors import UserError
from leansort.core.labels import LabelSet, count_respelled, normalize_name, require_distinct

NFC, NFD = "Pl\u00e1stico", "Pla\u0301stico"


@pytest.mark.parametrize(
    "written",
    ["clear plastic ", "\tclear plastic\n", "clear  plastic", "clear\u00a0plastic", "clear\u3000plastic",
     "\ufeffclear plastic", "clear\u200b plastic", "clear plas\u2060tic"],
)  # fmt: skip
def test_blanks_that_one_sees_or_not_do_not_make_a_class(written: str) -> None:
    assert normalize_name(written) == "clear plastic"
    assert normalize_name(normalize_name(written)) == normalize_name(written)
    assert LabelSet(("clear plastic", "paper")).index(written) == 0


def test_both_unicode_forms_of_a_letter_are_one_name() -> None:
    assert normalize_name(NFD) == normalize_name(NFC) == NFC
    assert normalize_name("Pla\u200b\u0301stico") == NFC  # the mark composes once nothing invisible is in between
    assert LabelSet((NFC, "paper")).index(NFD) == 0


def test_an_accent_or_a_joiner_that_a_script_needs_is_kept() -> None:
    assert normalize_name("Pl\u00e1stico") != normalize_name("Plastico")
    assert (
        normalize_name("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645")
        == "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    )
    require_distinct(["Pl\u00e1stico", "Plastico", "Plastic bag", "Plasticbag"], "data")


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        ("Plastic", "plastic", "'Plastic' and 'plastic'"),
        ("STRASSE", "Stra\u00dfe", r"'STRASSE' and 'Straße' ('Stra\xdfe')"),
        ("plastic", "\uff50\uff4c\uff41\uff53\uff54\uff49\uff43", r"\uff50\uff4c\uff41\uff53\uff54\uff49\uff43"),
        ("plastic", "plas\u00adtic", r"plas\xadtic"),
        ("plastic", "plas\u200dtic", r"plas\u200dtic"),
        ("fine", "\ufb01ne", r"\ufb01ne"),
    ],
)
def test_names_that_people_take_for_one_are_refused_and_both_are_shown(first: str, second: str, shown: str) -> None:
    for pair in ([first, second, "paper"], ["paper", second, first]):
        with pytest.raises(UserError) as caught:
            require_distinct(pair, "data")
        assert shown in str(caught.value)
        assert "category map" in str(caught.value)
    with pytest.raises(UserError, match=r"got .* differs from the class") as caught:
        LabelSet((first, "paper")).index(second, "answer for a.jpg")
    assert (shown.split(" and ")[-1] in str(caught.value), first in str(caught.value)) == (True, True)


def test_what_was_tidied_is_counted_by_spelling() -> None:
    told = count_respelled(["plastic ", "plastic", "plastic ", NFD, "paper"])
    assert told == {
        "'plastic ' taken as 'plastic'": 2,
        f"{NFD!r} ('Pla\\u0301stico') taken as {NFC!r} ('Pl\\xe1stico')": 1,
    }


def test_a_name_that_is_far_from_every_class_gets_a_guess_as_before() -> None:
    with pytest.raises(UserError, match="allowed: paper, plastic; did you mean 'plastic'"):
        LabelSet(("plastic", "paper")).index("plastik")
