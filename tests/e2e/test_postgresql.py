"""A study on a real PostgreSQL server: many workers, one of them killed, the server restarted."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest

from leansort.measure.contest import Baselines
from leansort.search import storage as storages
from leansort.search import study as studies
from tests.conftest import ROOT
from tests.study_worker import config_of


def programs() -> Path:
    """Where Debian's package keeps the server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL server here; on Debian: apt-get install postgresql")
    return found[-1].parent


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Callable[[str], None]]]:
    """A server of its own, and what starts, stops and restarts it."""
    bin_, folder = programs(), tmp_path_factory.mktemp("postgresql")
    as_other = []
    if os.getuid() == 0:  # the server refuses to run as root
        if (
            shutil.which("runuser") is None
            or subprocess.run(["id", "nobody"], capture_output=True, check=False).returncode
        ):
            pytest.skip("runs as root, and there is no other user to run the server")
        as_other = ["runuser", "-u", "nobody", "--"]
        for one in (folder, *folder.parents[:2]):
            one.chmod(0o755)
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


@pytest.mark.slow
def test_two_hundred_trials_by_four_workers_one_killed_the_server_restarted(
    server: tuple[str, Callable[[str], None]],
) -> None:
    url, control = server
    config = config_of("many", trials=200, sampler={"kind": "tpe", "startup": 20})
    storages.quiet()
    storage = storages.opened(url)
    studies.create(storage, config, {"name": "r"}, ["a", "b"], "data", config.wanted(Baselines()))
    command = [sys.executable, "-m", "tests.study_worker", url, "many", "0.15"]
    workers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    waited(storage, 40)
    workers[0].kill()
    workers[0].wait()
    waited(storage, 90)
    control("restart")
    done = [int(worker.communicate(timeout=300)[0]) for worker in workers[1:]]
    assert [worker.returncode for worker in workers[1:]] == [0, 0, 0]

    records = studies.records(storage, "many")
    assert len(records) == 200
    assert sum(done) < 200 <= sum(done) + 200
    raw = optuna.load_study(study_name="many", storage=storage).trials
    assert not [one for one in raw if one.state.name in ("RUNNING", "WAITING")]
    # None lost: whatever failed was done again, by a trial of the same parameters that names it.
    failed = {one.number: one for one in raw if one.state.name == "FAIL"}
    again = Counter(
        one.user_attrs["retry_of"] for one in raw if one.state.name == "COMPLETE" and "retry_of" in one.user_attrs
    )
    begun = [one for one in failed.values() if one.params and one.user_attrs.get("failed") == "its worker died"]
    assert begun
    assert [one.number for one in begun if again[one.number] != 1] == []
    # None doubled: no two results of the same parameters.
    assert max(Counter(str(sorted(record.params.items())) for record in records).values()) == 1


def waited(storage: object, trials: int) -> None:
    for _ in range(1200):
        if len(studies.records(storage, "many")) >= trials:
            return
        time.sleep(0.1)
    pytest.fail(f"fewer than {trials} trials in two minutes")
