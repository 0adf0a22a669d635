"""A local Ray cluster gives what one process gives, also where a worker is killed; needs the extra `ray`."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leansort.workflows.cluster.partitions import PartitionEntry, PartitionManifest
from tests.conftest import ROOT, Cli, draw
from tests.e2e.test_mistakes import refused

MODEL = "trashnet-lean"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for number in range(200):
        draw(folder / f"{number:03}.jpg", number % 3, seed=number % 7)
    (folder / "cut.jpg").write_bytes((folder / "000.jpg").read_bytes()[:300])
    return folder


def descendants(pid: int) -> list[tuple[int, str]]:
    """Process ids below one, with their command lines."""
    found, open_ones = [], [pid]
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    while open_ones:
        above = open_ones.pop()
        for child in [child for child, parent in parents.items() if parent == above]:
            open_ones.append(child)
            try:
                found.append((child, Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace")))
            except OSError:
                continue
    return found


@pytest.mark.slow
def test_a_cluster_gives_what_one_process_gives_and_goes_on(new_cli: Cli, photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs ray: pip install 'leansort[ray]'")
    one = new_cli("predict", MODEL, photos, "--format", "json", "--batch", "1", "--threads", "1")
    command = ("predict", MODEL, photos, "--format", "json", "--ray", "local:2", "--out", tmp_path / "out")
    first = new_cli(*command)
    assert first.returncode == 1, first.stderr  # one photo is cut
    assert (tmp_path / "out" / "predictions.jsonl").read_text() == one.stdout
    assert "201 photos, 201 classified now, 0 before, 1 unreadable" in first.stdout
    draw(photos / "005.jpg", 2, seed=99)
    refused(new_cli(*command, "--engine", "openvino"), "predictions of another engine")
    again = new_cli(*command)
    assert "2 classified now, 199 before, 1 unreadable" in again.stdout  # what changed, and what failed
    one = new_cli("predict", MODEL, photos, "--format", "json", "--batch", "1", "--threads", "1")
    assert (tmp_path / "out" / "predictions.jsonl").read_text() == one.stdout


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_doubles_nothing(new_cli: Cli, photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs ray: pip install 'leansort[ray]'")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "leansort", "predict", MODEL, str(photos), "--format", "json"]
    running = subprocess.Popen([*command, "--ray", "local:2", "--out", str(out)], stdout=subprocess.DEVNULL)
    killed, until = 0, time.monotonic() + 120
    while not killed and running.poll() is None and time.monotonic() < until:
        for pid, line in descendants(running.pid):
            if "RayWorker" in line:
                os.kill(pid, signal.SIGKILL)
                killed = pid
                break
        time.sleep(0.05)
    assert killed, "no worker was met"
    assert running.wait(240) == 1
    one = new_cli("predict", MODEL, photos, "--format", "json", "--batch", "1", "--threads", "1")
    assert (out / "predictions.jsonl").read_text() == one.stdout
    manifest = PartitionManifest.model_validate_json((out / "manifest.json").read_text(), strict=False)
    assert sum(part.rows for part in manifest.parts if isinstance(part, PartitionEntry)) == 201


def test_a_cluster_takes_no_option_that_it_ignores(cli: Cli, photos: Path, tmp_path: Path) -> None:
    refused(cli("predict", MODEL, photos, "--ray", "local", "--out", tmp_path, "--batch", "4"), "--batch has no effect")
    refused(cli("predict", MODEL, photos, "--ray", "local"), "--out is missing")
    refused(cli("predict", MODEL, photos, "--ray", "local", "--out", "s3://bucket/out"), "must be a local folder")


@pytest.mark.slow
def test_the_commands_of_the_page_run_as_written(new_cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs ray: pip install 'leansort[ray]'")
    [block] = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / "cluster.md").read_text(), re.S)
    for line in block.splitlines():
        done = new_cli(*shlex.split(line)[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert len((tmp_path / "labels" / "predictions.csv").read_text().splitlines()) == 41


@pytest.mark.slow
def test_a_cluster_scores_as_one_process_does(new_cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs ray: pip install 'leansort[ray]'")
    for number in range(12):
        draw(tmp_path / "truth" / ("glass", "metal", "paper")[number % 3] / f"{number}.jpg", number % 3, seed=number)
    command = ("score", MODEL, "--ground-truth", tmp_path / "truth", "--json")
    far = new_cli(*command, "--ray", "local:1", "--out", tmp_path / "out")
    assert far.returncode == 0, far.stderr
    lists = [json.loads(done.stdout)["lists"] for done in (far, new_cli(*command))]
    assert lists[0] == lists[1]
