"""`--device` through a slow link that is cut, to an agent in a network of its own that is killed on the way."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leansort.measure.device import device_address
from tests.conftest import Cli
from tests.support.interrupts import hear_interrupts
from tests.support.receivers import free_port
from tests.support.slow_link import FarMachine, SlowLink, far_machine, slow_link

DELAY = 0.08  # seconds each way


class FarAgent:
    """An agent on a far machine, reached through a slow link, which can be killed and started again."""

    def __init__(self, folder: Path, machine: FarMachine) -> None:
        self.folder, self.machine, self.port = folder, machine, free_port()
        self.start()

    def start(self) -> None:
        command = [*self.machine.prefix, sys.executable, "-m", "leansort", "agent", "--folder", str(self.folder),
                   "--port", str(self.port), "--address", self.machine.host]  # fmt: skip
        command += ["--plain"] * self.machine.is_far
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts)
        assert self._process.stderr
        while "serving at" not in (line := self._process.stderr.readline()):
            assert line, "the agent ended"

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(60)
        assert self._process.stderr
        self._process.stderr.close()

    def jobs(self, state: str = "") -> list[str]:
        """States of all jobs, or those that have the one that is named."""
        folders = sorted((self.folder / "jobs").glob("*"))
        states = [
            json.loads(file.read_text())["state"] if (file := job / "state.json").exists() else "open"
            for job in folders
        ]
        return [item for item in states if not state or item == state]


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FarAgent, SlowLink]]:
    with far_machine() as machine:
        agent = FarAgent(tmp_path / "agent", machine)
        monkeypatch.setenv(device_address.TOKEN_FILE, str(agent.folder / "token"))
        try:
            with slow_link(machine.host, agent.port, DELAY) as link:
                yield agent, link
        finally:
            agent.kill()


def until(is_so: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_upload_that_is_cut_in_the_middle_is_sent_again_and_nothing_half_is_kept(
    far: tuple[FarAgent, SlowLink], tiny_run: Path, folders: Path, cli: Cli
) -> None:
    agent, link = far
    bundle = tiny_run / "model.leansort"
    link.cuts = [bundle.stat().st_size // 4, bundle.stat().st_size // 2]
    quick = ["--images", folders / "val", "--seconds", "0.1", "--queries", "3", "--starts", "0"]
    begun = time.monotonic()
    done = cli("bench", bundle, *quick, "--device", link.url, "--json")
    assert done.returncode == 0, done.stderr
    assert (link.cut, link.cuts) == (2, [])
    assert "does not answer" in done.stderr
    assert time.monotonic() - begun > 4 * DELAY
    assert len(json.loads(done.stdout)["measurements"]) == 4
    kept = [path for path in (agent.folder / "files").iterdir() if path.is_file()]
    assert kept
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in kept)
    assert agent.jobs() == ["done"]


SPACE = """\
name: three
recipe: {recipe}
objectives: [macro_f1]
constraints: {{model_p50_ms: 1000}}
seconds: 0.3
trials: 3
halving: {{rungs: 1, eta: 2, least: 2}}
sampler: {{kind: random}}
start: [{{preprocess.size: 32}}, {{preprocess.size: 40}}, {{preprocess.size: 48}}]
space: {{preprocess.size: {{choice: [32, 40, 48]}}}}
"""


@pytest.mark.slow
def test_a_search_through_a_slow_link_with_an_agent_killed_twice_has_the_local_winner(
    far: tuple[FarAgent, SlowLink], tiny_recipe: Path, tiny_run: Path, tmp_path: Path, cli: Cli
) -> None:
    agent, link = far
    space, kills = tmp_path / "space.yaml", list[int]()
    space.write_text(SPACE.format(recipe=tiny_recipe))

    def kill_twice() -> None:
        for number in range(2):
            until(lambda: len(agent.jobs()) > number and "open" in agent.jobs())  # noqa: B023 - called at once
            agent.kill()
            kills.append(len(agent.jobs("open")))
            agent.start()
            done = len(agent.jobs("done"))
            until(lambda: len(agent.jobs("done")) > done)  # noqa: B023 - called at once

    found = []
    for name, device in (("here", []), ("there", ["--device", link.url])):
        killer = threading.Thread(target=kill_twice, daemon=True)
        if device:
            killer.start()
        out = tmp_path / name
        done = cli(
            "tune", "run", space, "--manifest", tiny_run, "--out", out, *device, "train.epochs=4", "train.lr=8.0e-3"
        )
        assert done.returncode == 0, done.stderr
        tree = json.loads((out / "tune.json").read_text())
        assert all(trial["outcome"]["costs"]["model_p50_ms"] > 0 for trial in tree["trials"])
        found.append(
            (tree["front"], {trial["number"]: (trial["params"], trial["outcome"]["f1"]) for trial in tree["trials"]})
        )
    killer.join(1)
    assert len(kills) == 2
    assert all(kills), "the agent was killed when it had nothing to do"
    assert found[0][0], "no winner"
    assert len({f1 for _, f1 in found[0][1].values()}) > 1, "all trials are alike, so any could win"
    assert found[0] == found[1]
