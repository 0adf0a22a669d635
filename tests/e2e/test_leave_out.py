"""`leansort leave-out` through the command line, gone on with, and the same as a Python function."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import leansort
from tests.conftest import CLASSES, Cli

QUICK = ["train.epochs=1", "augment.randaugment=0"]


@pytest.fixture(scope="module")
def left_out(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> tuple[Path, str]:
    """A folder where each class was left out, and what was printed. Treat as read-only."""
    out = tmp_path_factory.mktemp("left-out") / "out"
    done = cli("leave-out", tiny_recipe, *QUICK, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_each_class_is_left_out_once_and_scored(left_out: tuple[Path, str]) -> None:
    out, text = left_out
    tree = json.loads(text)
    assert tree == json.loads((out / "leave-out.json").read_text())
    assert tree["complete"]
    assert [item["name"] for item in tree["classes"]] == sorted(CLASSES)
    for item in tree["classes"]:
        assert (item["unknown"], item["known"]) == (8, 16)
        assert tree["deployed"] in item["auroc"]
        assert all(0 <= score["low"] <= score["value"] <= score["high"] <= 1 for score in item["auroc"].values())
        assert (out / f"without-{item['name']}" / "result.json").exists()
    table = (out / "leave-out.md").read_text()
    assert f"{tree['deployed']} (deployed)" in table
    assert all(name in table.splitlines()[0] for name in CLASSES)


@pytest.mark.slow
def test_a_resume_does_what_is_missing_alone_and_the_function_gives_the_same(
    left_out: tuple[Path, str], tiny_recipe: Path, tmp_path: Path, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    out, last = tmp_path / "out", sorted(CLASSES)[-1]
    shutil.copytree(left_out[0], out)
    again = cli("leave-out", tiny_recipe, *QUICK, "--out", out)
    assert (again.returncode, "is not empty" in again.stderr) == (2, True)
    shutil.rmtree(out / f"without-{last}")
    done = cli("leave-out", tiny_recipe, *QUICK, "--out", out, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("finished before") == len(CLASSES) - 1
    assert f"leave-out: {last}: scoring" in done.stderr
    assert json.loads(done.stdout) == json.loads(left_out[1])
    result = leansort.leave_out(tiny_recipe, QUICK, out=out, resume=True)
    assert result.to_json() == json.loads(left_out[1])
    assert capsys.readouterr().err.count("finished before") == len(CLASSES)
    assert "mean AUROC" in " ".join(result.headline())


def test_another_recipe_is_refused(left_out: tuple[Path, str], tiny_recipe: Path, cli: Cli) -> None:
    done = cli("leave-out", tiny_recipe, "train.epochs=2", "--out", left_out[0], "--resume")
    assert (done.returncode, "was begun with another recipe" in done.stderr) == (2, True)
    assert len(done.stderr.strip().splitlines()) == 1
