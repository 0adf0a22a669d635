"""`leansort compare A B C …` by the command line: a mix of bundles, a run and files of answers, and its page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leansort.measure.comparison.comparison_result import ComparisonResult
from leansort.measure.comparison.multiple_comparison import MultipleComparisonResult
from tests.conftest import Cli
from tests.support.comparison_ground import CROPS, comparison_ground, crops, written
from tests.support.graphs import colour_bundle


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return comparison_ground(tmp_path_factory.mktemp("compare"))


@pytest.fixture(scope="module")
def mix(ground: Path, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A bundle, the folder of a run, a submission file and a CSV of predictions."""
    root = tmp_path_factory.mktemp("mix")
    (root / "run").mkdir()
    colour_bundle().save(root / "run" / "model.leansort")
    done = cli("submit", ground / "fair.leansort", ground / "crops", "--out", root / "output.csv")
    assert done.returncode == 0, done.stderr
    answers = written(root / "answers.csv", crops(ground) | {"crop00.png": "b"})
    return [ground / "weak.leansort", root / "run", root / "output.csv", answers]


def test_a_mix_of_kinds_is_compared_timed_and_shown(ground: Path, mix: list[Path], cli: Cli, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    options = ["--ground-truth", ground / "crops", "--seconds", "0.02", "--queries", "5"]
    done = cli("compare", *mix, *options, "--page", page, "--json")
    assert done.returncode == 0, done.stderr
    result = MultipleComparisonResult.from_json(json.loads(done.stdout), "the output")
    kinds = [member.classifier.kind for member in result.members]
    assert kinds == ["bundle", "bundle", "submission", "predictions"]
    assert (result.crops, result.others[0].member.classifier.accuracy) == (CROPS, 1.0)
    assert [len(member.latencies) for member in result.members] == [2, 2, 0, 0]
    assert [len(other.ratios) for other in result.others] == [2, 0, 0]
    assert done.stderr.count("timing 2 bundles in turns") == 1
    assert [done.stderr.count(f"{side} classifies {CROPS} crops") for side in "ABCD"] == [1, 1, 0, 0]
    text = page.read_text()
    assert "4 classifiers, compared with A" in text
    lost_and_won = sum(other.counts.disagreements for other in result.others)
    assert text.count("data:image/jpeg;base64,") == lost_and_won > 0


def test_the_table_ends_with_the_verdict_and_says_whose_p_it_is(ground: Path, mix: list[Path], cli: Cli) -> None:
    done = cli("compare", *mix, "--ground-truth", ground / "crops", "--seconds", "0")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1].startswith(f"macro-F1 against A on {CROPS} crops: B higher by ")
    assert [line[:2] for line in lines[:4]] == ["A ", "B ", "C ", "D "]
    assert any("Holm's correction for 3 comparisons with A" in line for line in lines)
    assert "decode to label" not in done.stdout


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--engine-b", "openvino"], "--engine-b has an effect where two are compared, got 3; give --engine"),
        (["weak.leansort"], "A and D are the same file"),
    ],
)
def test_a_mistake_is_one_line(more: list[str], expected: str, ground: Path, cli: Cli) -> None:
    files = [ground / f"{name}.leansort" for name in ("weak", "good", "fair")]
    given = [ground / text if text.endswith(".leansort") else text for text in more]
    done = cli("compare", *files, *given, "--ground-truth", ground / "crops", "--seconds", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert [line for line in done.stderr.splitlines() if "Traceback" in line] == []
    assert expected in done.stderr.splitlines()[-1]


def test_two_are_still_a_comparison_of_two(ground: Path, cli: Cli) -> None:
    files = ground / "weak.leansort", ground / "good.leansort"
    done = cli("compare", *files, "--ground-truth", ground / "crops", "--seconds", "0", "--json")
    assert done.returncode == 0, done.stderr
    assert ComparisonResult.from_json(json.loads(done.stdout), "the output").b.accuracy == 1.0
