"""Classes through the command line: without a crop, missing from a split, spelled in several ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, draw


def submission(path: Path, answers: dict[str, str]) -> Path:
    tree = {"inference": answers, "time": {"runtime": {"all": 1.0}}, "macs": 5}
    path.write_text(json.dumps(tree, ensure_ascii=False))
    return path


def scored(cli: Cli, answers: Path, truth: Path) -> tuple[dict[str, Any], str]:
    done = cli("score", answers, "--truth", truth, "--json")
    assert done.returncode == 0, done.stderr
    text = cli("score", answers, "--truth", truth)
    assert text.returncode == 0, text.stderr
    return json.loads(done.stdout), text.stdout


def test_a_perfect_answer_to_class_folders_scores_1_whatever_empty_folders_lie_beside_them(
    tmp_path: Path, cli: Cli
) -> None:
    for kind, name in enumerate(["Metal", "Paper"]):
        for number in range(4):
            draw(tmp_path / "test" / name / f"{name}{number}.jpg", kind, number, (24, 24))
    (tmp_path / "test" / "__MACOSX").mkdir()
    (tmp_path / "test" / "unknown").mkdir()
    answers = {f"{name}{number}.jpg": name for name in ("Metal", "Paper") for number in range(4)}
    tree, text = scored(cli, submission(tmp_path / "answers.json", answers), tmp_path / "test")
    part = tree["lists"]["all"]
    assert (part["macro_f1"]["value"], part["macro_f1"]["high"]) == (1.0, 1.0)
    assert part["macro_f1"]["low"] == pytest.approx(0.025 ** (1 / 8))
    assert part["macro_f1_classes"]["taken"] == ["Metal", "Paper"]
    assert [row["f1"] for row in tree["contest"]] == [1.0, 1.0]
    assert "macro-F1 1.0000 over 2 classes" in text
    assert "class folder 'unknown' has no picture and was left out" in text


def test_an_answer_may_name_an_empty_class_folder_and_the_text_says_what_it_does_to_the_mean(
    tmp_path: Path, cli: Cli
) -> None:
    for kind, name in enumerate(["Metal", "Paper"]):
        for number in range(4):
            draw(tmp_path / "test" / name / f"{name}{number}.jpg", kind, number, (24, 24))
    (tmp_path / "test" / "Battery").mkdir()
    answers = {f"{name}{number}.jpg": name for name in ("Metal", "Paper") for number in range(4)}
    answers["Paper0.jpg"] = "Battery"
    tree, text = scored(cli, submission(tmp_path / "answers.json", answers), tmp_path / "test")
    assert tree["lists"]["all"]["macro_f1"]["value"] == pytest.approx((1 + 6 / 7) / 2)
    assert tree["lists"]["all"]["macro_f1_classes"]["left_out"] == ["Battery"]
    assert [row["f1"] for row in tree["contest"]] == [pytest.approx((1 + 6 / 7) / 3)] * 2  # the contest counts it 0
    assert "over 2 of 3 classes" in text
    assert "'Battery' has no crop in test and was left out of the mean" in text


def test_labels_and_answers_that_differ_in_blanks_or_unicode_form_are_one_class_and_named(
    tmp_path: Path, cli: Cli
) -> None:
    rows = ["a.jpg,plástico", "b.jpg,pla\u0301stico", 'c.jpg,"plástico "', "d.jpg,paper"]
    (tmp_path / "truth.csv").write_text("\n".join(["image,label", *rows]) + "\n", encoding="utf-8")
    answers = {"a.jpg": "pla\u0301stico", "b.jpg": "plástico", "c.jpg": "plástico\u00a0", "d.jpg": "paper"}
    tree, text = scored(cli, submission(tmp_path / "answers.json", answers), tmp_path / "truth.csv")
    assert tree["lists"]["all"]["macro_f1_classes"]["taken"] == ["paper", "plástico"]
    assert tree["lists"]["all"]["macro_f1"]["value"] == 1.0
    assert r"('pla\u0301stico') taken as 'plástico' ('pl\xe1stico'), 1 crop" in text
    assert r"predictions: 'plástico\xa0' ('pl\xe1stico\xa0') taken as" in text


def test_answers_that_differ_in_case_are_an_error_that_shows_both(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "truth.csv").write_text("image,label\na.jpg,Plastic\nb.jpg,Paper\n")
    answers = submission(tmp_path / "answers.json", {"a.jpg": "plastic", "b.jpg": "Paper"})
    done = cli("score", answers, "--truth", tmp_path / "truth.csv")
    assert (done.returncode, "'Plastic' and 'plastic' differ in case" in done.stderr) == (2, True), done.stderr
    (tmp_path / "truth.csv").write_text("image,label\na.jpg,Plastic\nb.jpg,PLASTIC\nc.jpg,Paper\n")
    done = cli("score", answers, "--truth", tmp_path / "truth.csv")
    assert (done.returncode, "'PLASTIC' and 'Plastic' differ in case" in done.stderr) == (2, True), done.stderr
