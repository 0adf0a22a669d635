"""A study on a real PostgreSQL server: many workers, one of them killed, the server restarted."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from optuna.storages import BaseStorage

from leansort.contest.formulas import Baselines
from leansort.search import storage as storages
from leansort.search import study_setup
from leansort.search.trials.trial_records import read_records
from tests.conftest import ROOT
from tests.support.study_worker import config_of

WAITS, WAIT_S = 6000, 0.1  # long, for a machine with much else to do


def programs() -> Path:
    """Where Debian's package keeps the server."""
    paths = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not paths:
        pytest.skip("no PostgreSQL server here; on Debian: apt-get install postgresql")
    return paths[-1].parent


@pytest.fixture
def server() -> Iterator[tuple[str, Callable[[str], None]]]:
    """A server of its own, and what starts, stops and restarts it."""
    bin_, folder = programs(), Path(tempfile.mkdtemp(prefix="leansort-postgresql-"))  # not below a private folder
    as_other = []
    if os.getuid() == 0:  # the server refuses to run as root
        if (
            shutil.which("runuser") is None
            or subprocess.run(["id", "nobody"], capture_output=True, check=False).returncode
        ):
            pytest.skip("runs as root, and there is no other user to run the server")
        as_other = ["runuser", "-u", "nobody", "--"]
        shutil.chown(folder, "nobody")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"

    def run(*command: str) -> None:
        subprocess.run([*as_other, *command], check=True, capture_output=True, cwd=folder)

    def control(what: str) -> None:
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        more = ["-o", options, "-l", str(folder / "log")] if what != "stop" else []
        run(str(bin_ / "pg_ctl"), "-D", str(data), "-w", "-m", "fast", *more, what)

    run(str(bin_ / "initdb"), "-D", str(data), "-U", "leansort", "--auth=trust", "-E", "UTF8", "--no-sync")
    control("start")
    run(str(bin_ / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "leansort", "studies")
    try:
        yield f"postgresql://leansort@127.0.0.1:{port}/studies", control
    finally:
        control("stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_a_hundred_trials_by_four_workers_one_killed_the_server_restarted(
    server: tuple[str, Callable[[str], None]],
) -> None:
    url, control = server
    config = config_of("many", trials=100, sampler={"kind": "tpe", "startup": 20})
    storages.quiet()
    storage = storages.open_storage(url)
    study_setup.create(storage, config, {"name": "r", "data": {}}, ["a", "b"], "data", config.wanted(Baselines()))
    command = [sys.executable, "-m", "tests.support.study_worker", url, "many"]
    workers = [subprocess.Popen([*command, "600"], cwd=ROOT, stdout=subprocess.PIPE, text=True)]
    number = begun(storage, workers[0])  # and in the middle of it whenever it is killed
    workers += [subprocess.Popen([*command, "0.02"], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    waited(storage, 20)
    workers[0].kill()
    workers[0].wait()
    waited(storage, 45)
    control("restart")
    done = [int(worker.communicate(timeout=300)[0]) for worker in workers[1:]]
    assert [worker.returncode for worker in workers[1:]] == [0, 0, 0]

    records = read_records(storage, "many")
    assert len(records) == 100
    assert sum(done) == 100
    raw = optuna.load_study(study_name="many", storage=storage).trials
    assert not [item for item in raw if item.state.name in ("RUNNING", "WAITING")]
    # None lost: whatever a dead worker had was done again, by one trial of the same parameters that names it.
    died = {item.number: item for item in raw if item.user_attrs.get("failed") == "its worker died"}
    assert number in died
    again = {item.user_attrs.get("retry_of"): item for item in raw if item.state.name == "COMPLETE"}
    assert again[number].params == died[number].params
    assert set(died) <= set(again)
    # None doubled: no two results of the same parameters.
    assert max(Counter(str(sorted(record.params.items())) for record in records).values()) == 1


def begun(storage: BaseStorage, worker: subprocess.Popen[str]) -> int:
    """Wait for a worker's first trial; returns its number."""
    for _ in range(WAITS):
        for trial in optuna.load_study(study_name="many", storage=storage).trials:
            if trial.user_attrs.get("worker", {}).get("pid") == worker.pid:
                return trial.number
        time.sleep(WAIT_S)
    pytest.fail("the worker begins no trial")


def waited(storage: BaseStorage, trials: int) -> None:
    for _ in range(WAITS):
        if len(read_records(storage, "many")) >= trials:
            return
        time.sleep(WAIT_S)
    pytest.fail(f"fewer than {trials} trials in {WAITS * WAIT_S:.0f} s")
