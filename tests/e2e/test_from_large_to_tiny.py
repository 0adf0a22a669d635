"""Teacher, student, cuts and int8 by one recipe, through the command line: whole, killed anywhere, and mistakes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leansort.core import bundle as bundles
from tests.conftest import Cli, draw
from tests.e2e.test_mistakes import refused
from tests.support.jobs import require_equal

TEACHER = """\
name: large
data: {source: sample}
preprocess: {size: 48}
arch: {base: tiny_s, width: 0.5}
train: {epochs: 3, batch: 16, warmup: 0, ema: 0.5}
"""
STUDENT = """\
name: whole
data: {{source: folder, path: {data}}}
preprocess: {{size: 32}}
arch: {{base: tiny_s, width: 0.5}}
augment: {{views: 2}}
train: {{epochs: 3, batch: 16, warmup: 0, ema: 0.5, workers: 0, threads: 1}}
distill: {{teacher_recipes: [{teacher}], hints: 1.0, unlabelled: {loose}, unlabelled_ratio: 0.5}}
target: {{engine: openvino, precision: int8}}
bench: {{seconds: 0.1, queries: 20, starts: 0}}
compress:
  max_f1_drop: 1.0
  seconds: 0.1
  steps:
    - {{pass: prune, parameters: 0.7, faster: false, finetune: {{epochs: 2, teachers: [recipe], hints: 0.5}}}}
    - {{pass: distill, epochs: 2, teachers: [start, recipe]}}
    - {{pass: quantize, engine: openvino, crops: 16, faster: false}}
"""
LIMIT_S = 900


@pytest.fixture(scope="module")
def recipe(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whole-way")
    (place / "large.yaml").write_text(TEACHER)
    for at in range(12):
        draw(place / "loose" / f"folder{at % 2}" / f"{at}.jpg", at % 3, seed=7000 + at)
    shutil.copy(next((folders / "val").rglob("*.jpg")), place / "loose" / "judge.jpg")
    text = STUDENT.format(data=folders, teacher=place / "large.yaml", loose=place / "loose")
    (place / "whole.yaml").write_text(text)
    return place / "whole.yaml"


def killed_at(recipe: Path, out: Path, sign: Path) -> None:
    """Start or go on, and kill the run once a file is there."""
    command = [sys.executable, "-m", "leansort", "run", str(recipe), "--out", str(out)]
    command += ["--resume"] if out.exists() else []
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + LIMIT_S
    while not sign.exists() and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert run.poll() is None, f"ended before {sign} was there"
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


@pytest.mark.slow
def test_the_whole_way_killed_in_every_part_ends_as_unbroken(recipe: Path, tmp_path: Path, cli: Cli) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = cli("run", recipe, "--out", whole)
    assert done.returncode == 0, done.stderr
    for line in (
        "found judge.jpg: shows what a val photo shows, left out",
        "unlabelled: 12 photos of",
        "teacher large: in",
        "tiny_s on 72 crops, 12 photos without labels",
        "teachers look at 84 crops in 2 views once each",
    ):
        assert line in done.stderr
    prune = broken / "compress" / "steps" / "1-prune" / "try-100"
    for sign in (
        broken / "teacher-large" / "last.safetensors",
        broken / "train" / "last.safetensors",
        prune / "finetune" / "last.safetensors",
        broken / "compress" / "steps" / "2-distill" / "begun.json",
    ):
        killed_at(recipe, broken, sign)
    done = cli("run", recipe, "--out", broken, "--resume")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("epoch 1/3") == 0  # neither teacher nor student began anew
    assert "step 1-prune: finished before" in done.stderr
    for part in ("teacher-large", "train", "compress/steps/1-prune/try-100/finetune"):
        require_equal(broken / part, whole / part)
    ours, theirs = (bundles.load(folder / "model.leansort") for folder in (broken, whole))
    assert {name: data for name, data in ours.files.items() if name.endswith((".bin", ".onnx"))} == {
        name: data for name, data in theirs.files.items() if name.endswith((".bin", ".onnx"))
    }
    assert ours.meta.provenance["quantized"]["weights"] == "int8"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["trashnet-tiny", "trashnet-front"])
def test_the_recipes_of_the_package_do_the_whole_way(name: str, folders: Path, tmp_path: Path, cli: Cli) -> None:
    small = [
        "arch.pretrained=null",
        "train.batch=16",
        "distill.teacher_overrides=[train.epochs=1, preprocess.size=32, arch.pretrained=null]",
        "train.epochs=2",
        "preprocess.size=32",
        "augment.views=2",
        "train.workers=0",
        "train.threads=1",
    ]
    small += ["compress.max_f1_drop=1", "compress.seconds=0.1", "bench={seconds: 0.1, queries: 20, starts: 0}"]
    done = cli("run", name, *small, "--data", folders, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    tree = json.loads((tmp_path / "out" / "compress" / "compress.json").read_text())
    assert {step["state"] for step in tree["steps"][1:]} == {"accepted"}
    assert tree["steps"][-1]["parameters"] < 0.3 * tree["steps"][0]["parameters"]
    assert json.loads(done.stdout)["bytes"] == (tmp_path / "out" / "model.leansort").stat().st_size


def test_photos_without_labels_where_labels_are_needed_are_one_line(recipe: Path, tmp_path: Path, cli: Cli) -> None:
    loose = recipe.parent / "loose" / "folder0"
    done = cli("run", recipe, "--data", loose, "--out", tmp_path / "out")
    refused(done, "in class folders", "distill.unlabelled=FOLDER")
    done = cli("run", recipe, "distill.teacher_recipes=[]", "--out", tmp_path / "out")
    refused(done, "distill", "nobody says what the photos show; name distill.teachers or distill.teacher_recipes")
