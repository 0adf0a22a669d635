"""What predict writes: rows that stay rows, whatever files and classes are called."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from leansort.core.text.table_files import read_csv
from leansort.runtime.predictor import Prediction
from leansort.workflows.deploy.predict import COLUMNS, format_predictions

LABELS = ("label", "image", "error", "=1+1", "Paper, waxed", "p_label", "a\x1b[2Jb")
NAMES = ("photos/a.jpg", "=x.jpg", "-x.jpg", "new\nline.jpg", 'quo"te,comma.jpg', "esc\x1b]0;t\x07.jpg", " blank .jpg")


def results() -> list[tuple[Path, Prediction]]:
    item = (1 / len(LABELS),) * len(LABELS)
    made = [(Path(name), Prediction(label, item[0], True, item)) for name, label in zip(NAMES, LABELS, strict=True)]
    return [*made, (Path("bad\n.jpg"), Prediction("", 0.0, False, (), error="cannot\nbe read"))]


def test_columns_of_csv_never_collide_and_rows_never_break() -> None:
    text = "".join(f"{line}\n" for line in format_predictions(results(), LABELS, "csv"))
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert rows[0] == [*COLUMNS, *(f"p_{label}" for label in LABELS)]
    assert len(set(rows[0])) == len(rows[0])
    assert {len(row) for row in rows} == {len(rows[0])}
    assert [Path(row[0]) for row in rows[1:]] == [*map(Path, NAMES), Path("bad\n.jpg")]
    assert not [value for row in rows for value in row if value.lstrip()[:1] in ("=", "+", "-", "@")]


def test_our_csv_is_a_list_that_we_read(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "".join(f"{line}\n" for line in format_predictions(results()[:-1], LABELS, "csv")), newline=""
    )
    rows = [row for _, row in read_csv(tmp_path / "p.csv", "test", ("image", "label")).rows]
    assert [Path(row["image"]) for row in rows] == list(map(Path, NAMES))
    assert [row["label"] for row in rows] == list(LABELS)


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_picture_is_a_line_without_control_characters(style: str) -> None:
    lines = list(format_predictions(results(), LABELS, style))
    assert len(lines) == len(NAMES) + 1
    assert [line for line in lines if not line.replace("\t", "").isprintable()] == []


def test_json_has_names_as_they_are() -> None:
    result = [json.loads(line) for line in format_predictions(results(), LABELS, "json")]
    assert [item["image"] for item in result[:-1]] == list(NAMES)
    assert [item["label"] for item in result[:-1]] == list(LABELS)
