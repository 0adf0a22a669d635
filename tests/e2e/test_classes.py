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
    done = cli("score", answers, "--ground-truth", truth, "--json")
    assert done.returncode == 0, done.stderr
    text = cli("score", answers, "--ground-truth", truth)
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
    done = cli("score", answers, "--ground-truth", tmp_path / "truth.csv")
    assert (done.returncode, "'Plastic' and 'plastic' differ in case" in done.stderr) == (2, True), done.stderr
    (tmp_path / "truth.csv").write_text("image,label\na.jpg,Plastic\nb.jpg,PLASTIC\nc.jpg,Paper\n")
    done = cli("score", answers, "--ground-truth", tmp_path / "truth.csv")
    assert (done.returncode, "'PLASTIC' and 'Plastic' differ in case" in done.stderr) == (2, True), done.stderr


@pytest.fixture(scope="module")
def with_empties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of class folders, and what comes with an archive or a detector: folders without a picture."""
    root = tmp_path_factory.mktemp("with-empties")
    for split, number in (("train", 8), ("val", 4), ("test", 4)):
        for kind, name in enumerate(["Metal", "Paper", "Plastic"]):
            for at in range(number):
                draw(root / split / name / f"{at}.jpg", kind, 1000 * number + at, (24, 24))
        (root / split / "unknown").mkdir()
    return root


def test_an_import_names_each_class_without_a_crop_and_keeps_those_asked_for(
    with_empties: Path, tmp_path: Path, cli: Cli
) -> None:
    done = cli("data", "import", "folder", with_empties, "--out", tmp_path / "plain", "--json")
    assert done.returncode == 0, done.stderr
    assert "found unknown: class without a crop, left out (--keep-classes keeps it)" in done.stderr
    assert set(json.loads(done.stdout)["splits"]["train"]) == {"Metal", "Paper", "Plastic"}
    kept = cli("data", "import", "folder", with_empties, "--keep-classes", "unknown", "--out", tmp_path / "kept")
    assert "'unknown': 0" in kept.stdout
    assert "warning: class 'unknown' has no crop at all" in kept.stderr
    for wrong in ("unkown", ""):
        refused = cli("data", "import", "folder", with_empties, "--keep-classes", wrong, "--out", tmp_path / "wrong")
        assert (refused.returncode, "data.keep_classes: got" in refused.stderr) == (2, True), refused.stderr
    assert not (tmp_path / "wrong").exists()
    counted = cli("data", "import", "folder", with_empties, "--dry-run")
    assert "classes without a crop" in counted.stdout
    assert "unknown" in counted.stdout


def test_a_class_of_test_alone_is_refused_by_import_and_training(with_empties: Path, tmp_path: Path, cli: Cli) -> None:
    rows = ["image,label,split"]
    for path in sorted(with_empties.rglob("*.jpg")):
        name = path.relative_to(with_empties)
        if not (name.parts[0] == "train" and name.parts[1] == "Metal"):
            rows.append(f"{name.as_posix()},{name.parts[1]},{name.parts[0]}")
    table = tmp_path / "list.csv"
    table.write_text("\n".join(rows) + "\n")
    given = ["data", "import", "table", table, "--images", with_empties]
    done = cli(*given, "--out", tmp_path / "out")
    assert (done.returncode, "Metal (val 4, test 4)" in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "out").exists()
    done = cli(*given, "--out", tmp_path / "out", "--keep-classes", "Metal")
    assert (done.returncode, "which takes 1/3 off macro-F1" in done.stderr) == (0, True), done.stderr
