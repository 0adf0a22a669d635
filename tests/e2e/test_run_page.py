"""The page of a finished run: its figures are those of the JSON files, and results beside the run come onto it."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Cli


@pytest.fixture(scope="module")
def run(tiny_run: Path) -> Path:
    folder = tiny_run.with_name(f"page-{os.getpid()}")  # beside it, for its manifest names photos from there
    shutil.copytree(tiny_run, folder, ignore=shutil.ignore_patterns("cache", "tensorboard"))
    return folder


def test_figures_of_the_page_are_those_of_the_files(run: Path) -> None:
    text = (run / "report.html").read_text()
    score, bench = (json.loads((run / name).read_text()) for name in ("score.json", "bench.json"))
    part = score["lists"]["all"]
    for row in part["classes"]:
        shown = re.search(rf"<bdi>{row['name']}</bdi>.*?</tr>", text, re.DOTALL)
        assert shown
        for key in ("precision", "recall", "f1"):
            assert f">{row[key]:.3f}<" in shown[0]
    counts = re.findall(r'<td class="[^"]*" style="--shade[^>]*>(?:<button[^>]*>)?(\d+)', text)
    assert list(map(int, counts)) == [count for row in part["confusion"] for count in row]
    assert f"{part['macro_f1']['low']:.3f} – {part['macro_f1']['high']:.3f}" in text
    label = next(item for item in bench["measurements"] if item["name"].endswith("decode to label"))
    assert len(label["quantiles"]) == 41
    assert label["quantiles"] == sorted(label["quantiles"])
    assert f"decode to label: half within {label['value']:.3g} ms" in text


def test_what_is_not_there_is_named_with_the_command_that_makes_it(run: Path) -> None:
    text = (run / "report.html").read_text()
    assert "No stress test lies in the run folder; the command below makes one." in text
    assert f"leansort stress {run}" not in text  # the page was written in another folder
    assert "leansort stress " in text
    assert 'id="stress"' not in text


def test_a_stress_test_beside_the_run_comes_onto_its_page(run: Path, cli: Cli, tmp_path: Path) -> None:
    where = [run / "model.leansort", "--data", run, "--kinds", "darker", "--levels", "1,3", "--crops", "12"]
    done = cli("stress", *where, "--out", run / "stress")
    assert done.returncode == 0, done.stderr
    done = cli("report", run, "--out", tmp_path / "page.html", "--maps", "0", "--photos", "0")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "page.html").read_text()
    [bundle] = json.loads((run / "stress" / "stress.json").read_text())["bundles"]
    assert 'id="stress"' in text
    assert f"level 3: {bundle['kinds'][0]['levels'][1]['macro_f1']['value']:.4f}" in text
    assert "<div popover" not in text
    assert 'class="map"' not in text


def test_results_that_are_none_are_refused_in_one_line_and_write_nothing(run: Path, cli: Cli, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    for option in ("--stress", "--study", "--unknown", "--doubt"):
        done = cli("report", run, option, run / "score.json", "--out", page, "--maps", "0", "--photos", "0")
        assert done.returncode == 2, (option, done.stdout)
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert not page.exists()
