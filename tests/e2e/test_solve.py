"""`leansort solve`: a goal that is met, one that cannot be, a kill half-way, and mistakes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leansort.core.run_folder import SolveFolder
from leansort.workflows.solving.solve_result import SolveResult
from leansort.workflows.stages.stage_record import StageList
from tests.conftest import CLASSES, Cli, draw

NO_SEARCH = ("--trials", "0")


@pytest.fixture(scope="module")
def met(folders: Path, tiny_recipe: Path, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A goal that is easily met, and the command that met it. Treat as read-only."""
    out = tmp_path_factory.mktemp("solve") / "met"
    command = ["solve", str(folders), "--recipes", str(tiny_recipe), "--size-mb", "2", "--macro-f1", "0.05"]
    command += [*NO_SEARCH, "--out", str(out)]
    done = cli(*command)
    assert done.returncode == 0, done.stderr
    assert "The goal is met: the bundle of the recipe tiny reaches a macro-F1 of" in done.stdout
    return out, command


@pytest.mark.slow
def test_a_goal_is_met_and_told_in_figures_a_page_and_a_paragraph(met: tuple[Path, list[str]]) -> None:
    folder = SolveFolder(met[0])
    result = folder.solve.read(SolveResult, "test")
    assert (result.met, result.chosen, result.split) == (True, "tiny", "val")
    assert {item.name: item.met for item in result.limits} == {"macro_f1": True, "size_mb": True}
    assert "val also chose the bundle" in result.paragraph
    assert result.advice[0].what.removeprefix("more photos of ") in CLASSES
    assert result.stressed is not None
    assert result.stressed.level == 3
    assert result.curve is not None
    assert (result.curve.size, result.curve.larger_size) == (160, 224)
    assert result.curve.gain is not None
    assert result.curve.larger is not None
    assert result.curve.gain.value == pytest.approx(result.curve.larger.value - result.curve.whole.value)
    assert result.probe is not None
    assert result.skipped["search"] == "a recipe meets the goal"
    assert result.paragraph.split(":")[0] in folder.report.read("test")
    assert folder.bundle.stat().st_size == result.bytes


@pytest.mark.slow
def test_the_same_command_does_nothing_twice_and_another_goal_trains_nothing(
    met: tuple[Path, list[str]], cli: Cli, tmp_path: Path
) -> None:
    out, command = met
    before = {record.name: record.began for record in SolveFolder(out).stages.read(StageList, "test").stages}
    done = cli(*command)
    assert done.returncode == 0, done.stderr
    again = {record.name: record.began for record in SolveFolder(out).stages.read(StageList, "test").stages}
    cached = {"check", "doubt", "probe", "price", "train tiny", "bundle tiny", "judge tiny", "bench", "score", "stress"}
    assert {name: again[name] for name in cached} == {name: before[name] for name in cached}
    missed = cli(*command, "--size-mb", "0.001")
    assert missed.returncode == 0, missed.stderr
    assert "The goal is missed in 1 of 2 points" in missed.stdout
    assert "a size limit of" in missed.stdout
    after = {record.name: record.began for record in SolveFolder(out).stages.read(StageList, "test").stages}
    assert after["train tiny"] == before["train tiny"]
    told = json.loads(cli("status", out, "--json").stdout)
    assert {stage["state"] for stage in told["stages"]} == {"done", "skipped"}
    assert "└ train tiny" in cli("status", out).stdout


@pytest.mark.slow
def test_a_killed_solve_goes_on_and_ends_with_the_same_network(
    met: tuple[Path, list[str]], folders: Path, tiny_recipe: Path, cli: Cli, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "leansort", *met[1][:-1], str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        history = SolveFolder(out).candidate("tiny").training.history
        until = time.monotonic() + 200
        while not history.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert "interrupted" in cli("status", out).stdout
    done = cli(*met[1][:-1], str(out))
    assert done.returncode == 0, done.stderr
    assert "stage price: done before" in done.stderr
    model = Path("candidates") / "tiny" / "train" / "model.safetensors"
    assert (out / model).read_bytes() == (met[0] / model).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--macro-f1", "1.5"], "solve: --macro-f1: got 1.5, input should be less than or equal to 1"),
        ([], "solve: nothing is asked for; give at least one of macro_f1, p99_ms and size_mb"),
        (["--size-mb", "1", "--device", "robot"], "robot"),
        (["--size-mb", "1", "--recipes", "trashnet-lea"], "did you mean 'trashnet-lean'?"),
        (["--size-mb", "1", "--unknown", "."], "have no effect without a target error"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    arguments: list[str], told: str, folders: Path, cli: Cli, tmp_path: Path
) -> None:
    done = cli("solve", folders, *arguments, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_data_that_nothing_can_be_learned_from_are_one_line(cli: Cli, tmp_path: Path, tiny_recipe: Path) -> None:
    for kind, name in enumerate(CLASSES):
        draw(tmp_path / "one" / name / "photo.jpg", kind, seed=kind)
    (tmp_path / "none").mkdir()
    for photos in ("one", "none", "nowhere"):
        done = cli("solve", tmp_path / photos, "--size-mb", "1", "--recipes", tiny_recipe, "--out", tmp_path / "out")
        assert done.returncode == 2, done.stderr
        assert done.stderr.splitlines()[-1].startswith("error: ")


def test_photos_of_two_splits_that_show_the_same_stop_it_by_name(
    cli: Cli, folders: Path, tmp_path: Path, tiny_recipe: Path
) -> None:
    for kind, name in enumerate(CLASSES):
        for at in range(4):
            draw(tmp_path / "photos" / "train" / name / f"{at}.jpg", kind, seed=10 * kind + at)
        draw(tmp_path / "photos" / "val" / name / "v.jpg", kind, seed=10 * kind)  # as the first one of train
    done = cli("solve", tmp_path / "photos", "--size-mb", "1", "--recipes", tiny_recipe, "--out", tmp_path / "out")
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert "3 pairs of photos show the same in two splits" in line
    assert "leave out 3 of their photos with --drop-leaks" in line
    status = cli("status", tmp_path / "out")
    assert "check" in status.stdout
    assert "failed" in status.stdout


@pytest.mark.slow
def test_passes_that_learn_from_the_recipes_teachers_are_priced_and_taught(
    folders: Path, tiny_recipe: Path, cli: Cli, tmp_path: Path
) -> None:
    """Teachers are trained after the price is known; until then something has to stand for them."""
    recipe = tmp_path / "taught.yaml"
    recipe.write_text(
        tiny_recipe.read_text().replace("name: tiny", "name: taught")
        + f"distill: {{teacher_recipes: [{tiny_recipe}], weight: 0.5}}\n"
        + "compress: {max_f1_drop: 1.0, seconds: 0.05, steps: [{pass: prune, macs: 0.8, faster: false, "
        + "finetune: {epochs: 1, teachers: [start, recipe]}}]}\n"
    )
    goal = ["--macro-f1", "0.01", "--size-mb", "2", "--epochs", "1"]
    done = cli("solve", folders, "--recipes", recipe, *goal, *NO_SEARCH, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "cannot be tried" not in done.stderr
    assert "price: taught: macs" in done.stderr
    stages = {
        record.name: record.state for record in SolveFolder(tmp_path / "out").stages.read(StageList, "test").stages
    }
    assert [state for name, state in stages.items() if name.startswith("teacher")] == ["done"]
