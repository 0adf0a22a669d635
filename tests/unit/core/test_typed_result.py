"""Results: frozen, strict, versioned, and shown by themselves without letting a name do anything to the page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from pydantic import ValidationError

from leansort.core.errors import IntegrityError
from leansort.core.files.typed_result import TypedResult, show_value


@dataclass(frozen=True)
class Span:
    low: float
    high: float


class SortingResult(TypedResult):
    VERSION: ClassVar[int] = 2

    folder: Path
    name: str
    crops: int
    span: Span
    counts: dict[str, int]
    shares: tuple[float, ...] = ()
    note: str | None = None


@pytest.fixture
def result() -> SortingResult:
    return SortingResult(
        folder=Path("runs/a"), name="<b>", crops=12345, span=Span(0.25, float(np.float64(0.5))), counts={"glass": 3},
        shares=(0.5, 1.0),
    )  # fmt: skip


def test_what_is_written_is_read_again(result: SortingResult) -> None:
    tree = json.loads(json.dumps(result.to_json()))
    assert tree == {
        "version": 2, "folder": "runs/a", "name": "<b>", "crops": 12345, "span": {"low": 0.25, "high": 0.5},
        "counts": {"glass": 3}, "shares": [0.5, 1.0], "note": None,
    }  # fmt: skip
    assert SortingResult.from_json(tree, "x") == result


def test_it_is_frozen_and_strict(result: SortingResult) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        result.name = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="valid integer"):
        SortingResult(folder=Path(), name="", crops="1", span=Span(0, 1), counts={})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 1}, "x: version: got '1', this leansort reads 2"),
        ({"version": True}, "x: version: got 'True', this leansort reads 2"),
        ({"version": "2" * 100}, f"x: version: got '{'2' * 40}', this leansort reads 2"),
        ({"crops": "12"}, "x: crops: got '12', input should be a valid integer"),
        ({"span": {"low": 0.1}}, "x: span.high: missing"),
        ({"span": {"low": float("nan"), "high": 1}}, "x: span.low: got nan, need a finite number"),
        ({"counts": []}, "x: counts: got [], input should be an object"),
    ],
)
def test_what_was_changed_is_one_clear_line(result: SortingResult, change: dict[str, object], message: str) -> None:
    with pytest.raises(IntegrityError) as error:
        SortingResult.from_json({**result.to_json(), **change}, "x")
    assert str(error.value) == message


@pytest.mark.parametrize("tree", [None, [], "text", 3])
def test_what_is_no_object_is_refused(tree: object) -> None:
    with pytest.raises(IntegrityError, match="x: the whole: got"):
        SortingResult.from_json(tree, "x")


def test_a_file_without_a_version_is_of_the_first_one(result: SortingResult) -> None:
    class FirstResult(TypedResult):
        crops: int

    assert FirstResult.from_json({"crops": 3, "more": 1}, "x").crops == 3
    old = {name: value for name, value in result.to_json().items() if name != "version"}
    with pytest.raises(IntegrityError, match="got '1', this leansort reads 2"):
        SortingResult.from_json(old, "x")


def test_a_notebook_shows_a_table_in_which_a_name_is_text(result: SortingResult) -> None:
    shown = result._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert "12,345" in shown
    assert "low 0.25, high 0.5" in shown
    assert shown.count("<tr>") == 7


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (True, "yes"), (1234567, "1,234,567"), (0.123456, "0.1235"), (Path("a/b"), "a/b"),
        ({"a_b": 1.5, "c": (1, 2)}, "a b 1.5, c 1, 2"), (list(range(7)), "7 items"), ([], ""),
    ],
)  # fmt: skip
def test_values_are_shown_short(value: object, text: str) -> None:
    assert show_value(value) == text
