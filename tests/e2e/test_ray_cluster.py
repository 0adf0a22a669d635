"""A Ray cluster that runs already and asks for a token, as `ray start` sets one up; needs the extra `ray`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from leansort.core.writing.file_lock import take_lock
from tests.conftest import ROOT, Cli, draw
from tests.e2e.test_mistakes import refused
from tests.support.receivers import free_port

MODEL = "trashnet-lean"
TOKEN = "0123456789abcdef0123456789abcdef"
START_S = 180


@dataclass(frozen=True)
class Head:
    """A head that runs: where, and a home folder with its token."""

    address: str
    home: Path


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """A cluster of one machine; it ends with its process, and no other cluster of the machine does."""
    pytest.importorskip("ray", reason="needs ray: pip install 'leansort[ray]'")
    home = tmp_path_factory.mktemp("home")
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text(TOKEN)
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # short, for names of sockets lie below it
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus", "2"]
    more = ["--port", str(port), "--include-dashboard", "false", "--temp-dir", str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    log = home / "start.log"
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [*command, *more], env=environment | {"HOME": str(home)}, stdout=lines, stderr=lines, start_new_session=True
        )
    try:
        until = time.monotonic() + START_S
        while "Ray runtime started" not in log.read_text():
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"no cluster started: {log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield Head(f"127.0.0.1:{port}", home)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        end_all_of(folder)
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def end_all_of(folder: Path) -> None:
    """End what a head leaves that was not given the time to end its processes itself."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if f"{folder}/session" in (entry / "cmdline").read_bytes().decode(errors="replace"):
                    os.kill(int(entry.name), signal.SIGKILL)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    for number in range(24):
        draw(folder / f"{number:02}.jpg", number % 3, seed=number % 20)
    (folder / "cut.jpg").write_bytes((folder / "00.jpg").read_bytes()[:300])
    return folder


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without a token."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return monkeypatch


@pytest.mark.slow
def test_a_cluster_that_asks_for_a_token_says_so_in_one_line(
    new_cli: Cli, head: Head, photos: Path, tmp_path: Path, as_user: pytest.MonkeyPatch
) -> None:
    command = ("predict", MODEL, photos, "--ray", head.address, "--out", tmp_path / "out")
    done = new_cli(*command)
    refused(done, "asks for a token, and none is given", "RAY_AUTH_MODE=token", "RAY_AUTH_TOKEN_PATH=FILE")
    assert "InvalidAuthToken" not in done.stderr
    as_user.setenv("RAY_AUTH_TOKEN", "f" * 32)
    refused(new_cli(*command), "the token of RAY_AUTH_TOKEN is not its")


@pytest.mark.slow
def test_a_token_in_the_home_folder_or_by_name_opens_the_cluster(
    new_cli: Cli, head: Head, photos: Path, tmp_path: Path, as_user: pytest.MonkeyPatch
) -> None:
    one = new_cli("predict", MODEL, photos, "--format", "csv", "--batch", "1", "--threads", "1")
    command = ("predict", MODEL, photos, "--format", "csv", "--ray", head.address, "--out")
    as_user.setenv("RAY_AUTH_TOKEN", TOKEN)
    named = new_cli(*command, tmp_path / "named")
    assert named.returncode == 1, named.stderr  # one photo is cut
    as_user.delenv("RAY_AUTH_TOKEN")
    as_user.setenv("HOME", str(head.home))
    found = new_cli(*command, tmp_path / "found")
    assert found.returncode == 1, found.stderr
    written = [(tmp_path / name / "predictions.csv").read_text() for name in ("named", "found")]
    assert written == [one.stdout, one.stdout]


@pytest.mark.slow
def test_a_worker_of_another_version_is_refused_by_name(
    new_cli: Cli, head: Head, photos: Path, tmp_path: Path, as_user: pytest.MonkeyPatch
) -> None:
    as_user.setenv("HOME", str(head.home))
    told = tmp_path / "newer" / "leansort-99.0.dist-info" / "METADATA"  # what this process takes itself to be
    told.parent.mkdir(parents=True)
    told.write_text("Metadata-Version: 2.1\nName: leansort\nVersion: 99.0\n")
    as_user.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "newer"), os.environ.get("PYTHONPATH", "")]))
    done = new_cli("predict", MODEL, photos, "--ray", head.address, "--out", tmp_path / "out")
    refused(
        done, f"worker {socket.gethostname()} has leansort ", "need 99.0: pip install 'leansort[ray]==99.0'", code=1
    )


@pytest.mark.slow
def test_a_cluster_mines_what_one_process_mines_from_predictions_that_are_kept(
    new_cli: Cli, head: Head, photos: Path, tmp_path: Path, as_user: pytest.MonkeyPatch
) -> None:
    as_user.setenv("HOME", str(head.home))
    command = ("mine", MODEL, photos, "--keep", "8", "--out")
    far = ("--ray", head.address, "--predictions", tmp_path / "kept")
    assert new_cli(*command, tmp_path / "near").returncode == 0
    first = new_cli(*command, tmp_path / "far", *far)
    assert first.returncode == 0, first.stderr
    guesses = [(tmp_path / name / "guesses.csv").read_text() for name in ("near", "far")]
    assert guesses[0] == guesses[1]
    again = new_cli(*command, tmp_path / "again", *far)
    assert "25 photos, 24 of them done already" in again.stderr  # what failed is tried again
    assert (tmp_path / "again" / "guesses.csv").read_text() == guesses[0]
    wrong = new_cli("predict", MODEL, photos, "--ray", "local", "--out", tmp_path / "kept", "--engine", "openvino")
    refused(wrong, "holds predictions of another engine")


def test_mine_takes_no_option_that_it_ignores(cli: Cli, photos: Path, tmp_path: Path) -> None:
    command = ("mine", MODEL, photos, "--keep", "8", "--out", tmp_path / "out")
    refused(cli(*command, "--ray", "local"), "--predictions is missing")
    refused(cli(*command, "--predictions", tmp_path / "kept"), "--predictions has an effect with --ray alone")
    refused(cli(*command, "--ray", "ray://10.0.0.1:10001", "--predictions", tmp_path / "kept"), "Ray Client")
    refused(cli(*command, "--ray", "lokal", "--predictions", tmp_path / "kept"), "--ray: got 'lokal', allowed: ")
    refused(cli(*command, "--ray", "local", "--predictions", "s3://bucket/kept"), "must be a local folder")
    assert not (tmp_path / "out").exists()


def test_two_runs_into_one_folder_are_refused_whatever_they_do(cli: Cli, photos: Path, tmp_path: Path) -> None:
    kept, here = tmp_path / "kept", ("--ray", "local:1")
    lock = take_lock(kept / ".lock", "busy")
    try:
        done = cli("mine", MODEL, photos, "--keep", "8", *here, "--predictions", kept, "--out", tmp_path / "out")
        refused(done, f"another run works into {kept}")
        refused(cli("predict", MODEL, photos, *here, "--out", kept), f"another run works into {kept}")
    finally:
        lock.release()
    assert not (tmp_path / "out").exists()


def test_the_cluster_file_of_the_page_is_one_that_ray_takes() -> None:
    pytest.importorskip("ray", reason="needs ray: pip install 'leansort[ray]'")
    from ray.autoscaler._private import util

    [block] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "cluster.md").read_text(), re.S)
    prepared = util.prepare_config(yaml.safe_load(block))
    util.validate_config(prepared)
    assert len(prepared["provider"]["worker_ips"]) == prepared["max_workers"] == 9
    started = [*prepared["head_start_ray_commands"], *prepared["worker_start_ray_commands"]]
    assert [line.startswith("RAY_AUTH_MODE=token ray start") for line in started] == [False, True] * 2
    assert prepared["file_mounts"] == {"~/.ray/auth_token": "~/.ray/auth_token"}
