"""Two processes that torchrun starts, on the CPU, against one with the doubled batch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from leansort.arch.trained_model import load_tensors
from leansort.core.errors import UserError
from tests.conftest import ROOT, Cli, listening
from tests.support.jobs import require_equal, timeless, trained
from tests.support.two_processes import STEPS_IN_TURN

NETWORK = """\
rows:
  - {block: avg_pool, kernel: 2, stride: 2}
  - {block: pool}
  - {block: dense, out: 16, act: tanh}
  - {block: linear}
"""
RECIPE = """\
name: two
data: {{source: folder, path: {path}}}
preprocess: {{size: 32}}
arch: {{base: {network}}}
train: {{epochs: 3, batch: 6, lr: 0.02, warmup: 1, workers: 0, threads: 1, ema: 0.9}}
"""
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
LIMIT_S = 240  # a deadlock is a failure, not a hang


def torchrun(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*TORCHRUN, *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=LIMIT_S)


@pytest.fixture(scope="module")
def recipe(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe without batch norms and dropout, whose batches may be split; crops are varied as ever."""
    folder = tmp_path_factory.mktemp("torchrun")
    (folder / "network.yaml").write_text(NETWORK)
    (folder / "two.yaml").write_text(RECIPE.format(path=folders, network=folder / "network.yaml"))
    return folder / "two.yaml"


def metrics(run: Path) -> list[dict[str, Any]]:
    return timeless([json.loads(line) for line in (run / "train" / "metrics.jsonl").read_text().splitlines()])


@pytest.fixture(scope="module")
def two(recipe: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run of two processes, and what they said."""
    out = recipe.parent / "two"
    done = torchrun("leansort", "train", recipe, "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done


def test_two_processes_train_as_one_of_the_doubled_batch(
    recipe: Path, two: tuple[Path, subprocess.CompletedProcess[str]], cli: Cli
) -> None:
    """Float32 sums in another order are all that may differ."""
    alone = recipe.parent / "one"
    done = cli("train", recipe, "train.batch=12", "--out", alone)
    assert done.returncode == 0, done.stderr
    theirs, ours = metrics(alone), metrics(two[0])
    assert [record["loss"] for record in ours] == pytest.approx([record["loss"] for record in theirs], rel=1e-5)
    assert [record["lr"] for record in ours] == [record["lr"] for record in theirs]
    item, _ = load_tensors(alone / "train" / "last.safetensors", "checkpoint")
    both, meta = load_tensors(two[0] / "train" / "last.safetensors", "checkpoint")
    assert max(float((both[name] - item[name]).abs().max()) for name in item) < 1e-4
    assert float(item["model.network.3.weight"].abs().max()) > 0.01  # from zero: they have gone a way together
    assert meta["ranks"] == 2
    assert int(item["optimizer.0.step"]) == 3 * 6


def test_the_first_process_alone_writes_and_shows_the_epochs(
    two: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out, done = two
    assert [record["epoch"] for record in metrics(out)] == [1, 2, 3]
    assert len(list((out / "train" / "tensorboard").iterdir())) == 3  # one file an epoch
    assert [done.stderr.count(f"epoch {number}/3") for number in (1, 2, 3)] == [1, 1, 1]
    assert not list(out.rglob("*.part"))


def test_the_first_process_alone_speaks(two: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    assert two[1].stdout.count("val macro-F1") == 1
    assert two[1].stderr.count("data: reading folder") == 1


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """What two processes did: a whole run, and one that the second alone has stopped twice."""
    out = tmp_path_factory.mktemp("processes")
    done = torchrun("tests.support.two_processes", out)
    assert done.returncode == 0, done.stderr
    return out, [json.loads((out / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


def test_no_crop_is_seen_twice_in_an_epoch_and_none_is_left_out(told: tuple[Path, list[dict[str, Any]]]) -> None:
    first, second = (item["asked"] for item in told[1])
    assert len(second) == 3 * 29
    assert sorted(first[3 * 29 :]) == sorted(first[2 * 29 : 3 * 29])  # again, for the norms of averaged weights
    orders = []
    for epoch in range(3):
        part = slice(29 * epoch, 29 * (epoch + 1))
        assert sorted(first[part] + second[part]) == list(range(58))
        orders.append((first[part], second[part]))
    assert len({str(order) for order in orders}) == 3  # another share and order in every epoch


def test_processes_draw_dropout_of_their_own_and_agree_on_the_metrics(
    told: tuple[Path, list[dict[str, Any]]],
) -> None:
    first, second = told[1]
    # 58 crops: seven batches, the last longer; in the first epoch the body is frozen, and dropout off.
    assert len(first["dropped"]) == len(second["dropped"]) == 2 * 7
    assert all(ours != theirs for ours, theirs in zip(first["dropped"], second["dropped"], strict=True))
    assert second["records"] == []  # callbacks are the first one's
    assert [record["epoch"] for record in first["records"]] == [1, 2, 3]


def test_one_process_that_is_told_to_stop_stops_both_in_the_same_step(
    told: tuple[Path, list[dict[str, Any]]],
) -> None:
    out, ranks = told
    assert ranks[0]["stopped"] == ranks[1]["stopped"]
    assert [text.partition(",")[0] for text in ranks[0]["stopped"]] == [
        "training stopped in epoch 1",
        "training stopped in epoch 2",
    ]
    require_equal(out / "broken", out / "whole")  # dropout, mixup and accumulation included


def test_photos_without_labels_and_what_teachers_gave_are_shared_and_gone_on_with(
    told: tuple[Path, list[dict[str, Any]]],
) -> None:
    out, ranks = told
    require_equal(out / "untaught", out / "taught")
    assert not (out / "untaught" / "teacher-outputs").exists()
    # In two views each of 58 crops and 30 photos; what only the other process has asked for is asked for again.
    assert all(0 < item["shown"] <= 2 * (58 + 30) for item in ranks)
    assert sum(item["shown"] for item in ranks) >= 2 * (58 + 30) - 30  # three epochs are 4.4 passes of the photos


def test_another_number_of_processes_cannot_go_on(told: tuple[Path, list[dict[str, Any]]]) -> None:
    with pytest.raises(UserError, match="of 2 processes, here are 1"):
        trained(STEPS_IN_TURN, told[0] / "whole", resume=True)
    assert not torch.distributed.is_initialized()


@pytest.mark.slow
def test_ctrl_c_saves_in_both_and_the_run_goes_on(recipe: Path) -> None:
    out = recipe.parent / "broken"
    arguments: list[str | Path] = [recipe, "train.epochs=40", "train.workers=1", "--out", out]
    command = [*TORCHRUN, "leansort", "train", *map(str, arguments)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=ROOT, start_new_session=True,
        preexec_fn=listening,
    ) as started:  # fmt: skip
        deadline = time.monotonic() + LIMIT_S
        while not (out / "train" / "last.safetensors").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(started.pid, signal.SIGINT)
        _, answer = started.communicate(timeout=LIMIT_S)
    assert started.returncode != 0
    assert "error: training stopped in epoch" in answer
    assert "go on with --resume" in answer
    _, meta = load_tensors(out / "train" / "last.safetensors", "checkpoint")
    assert 0 < meta["batch"] <= 6  # in the middle of an epoch
    assert meta["epoch"] < 40
    done = torchrun("leansort", "train", *arguments, "--resume")
    assert done.returncode == 0, done.stderr
    assert [record["epoch"] for record in metrics(out)] == list(range(1, 41))
