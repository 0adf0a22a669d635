"""`leansort agent` and `--device` through the command line: measured there, killed in between, users' mistakes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leansort.measure.device import device_address, device_client
from tests.conftest import Cli
from tests.e2e.test_docs import commands
from tests.support.interrupts import hear_interrupts

COMPRESS = """
compress:
  seconds: 0.05
  max_f1_drop: 1.0
  steps: [{pass: quantize, crops: 16, faster: false}]
"""


class AgentProcess:
    """An agent on a port of its own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder, self.url = folder, f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "leansort", "agent", "--folder", str(self.folder), "--port", str(self.port)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts)
        assert self._process.stderr
        while "serving at" not in (line := self._process.stderr.readline()):
            assert line, "the agent ended"

    def end(self, number: signal.Signals) -> int:
        self._process.send_signal(number)
        code = self._process.wait(60)
        assert self._process.stderr
        self._process.stderr.close()
        return code

    def jobs(self) -> list[Path]:
        return sorted((self.folder / "jobs").glob("*"))


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AgentProcess]:
    running = AgentProcess(tmp_path / "agent")
    monkeypatch.setenv(device_address.TOKEN_FILE, str(running.folder / "token"))
    yield running
    running.end(signal.SIGKILL)


def test_a_bench_is_done_there(agent: AgentProcess, tiny_run: Path, folders: Path, cli: Cli) -> None:
    bundle, photos = tiny_run / "model.leansort", folders / "val"
    quick = ["--images", photos, "--seconds", "0.1", "--queries", "5", "--starts", "1", "--soak", "0.2"]
    done = cli("bench", bundle, *quick, "--device", agent.url, "--json")
    assert done.returncode == 0, done.stderr
    tree = json.loads(done.stdout)
    assert {item["name"].partition(": ")[2] for item in tree["measurements"]} == {
        "model alone", "decode alone", "decode to label", "offline", "cold start", "peak memory",
    }  # fmt: skip
    assert len(tree["soaks"]["model"]["blocks"]) >= 2
    assert [json.loads((job / "state.json").read_text())["state"] for job in agent.jobs()] == ["done"]
    assert "soak of decode to label" in cli("bench", bundle, *quick, "--device", agent.url).stdout


@pytest.mark.slow
def test_a_compression_is_timed_there_by_the_engines_there(
    agent: AgentProcess, tiny_recipe: Path, tiny_run: Path, tmp_path: Path, cli: Cli
) -> None:
    recipe, out = tmp_path / "small.yaml", tmp_path / "out"
    recipe.write_text(tiny_recipe.read_text() + COMPRESS)
    given = [recipe, tiny_run / "train", "--manifest", tiny_run, "--cache", tiny_run / "cache", "--out", out]
    done = cli("compress", *given, "--device", agent.url)
    assert done.returncode == 0, done.stderr
    tree = json.loads((out / "compress.json").read_text())
    asked = [json.loads((job / "request.json").read_text()) for job in agent.jobs()]
    assert {item["kind"] for item in asked} == {"latency"}
    assert {item["step"] for item in tree["latency"]} == {"start", "1-quantize"}
    assert all(item["count"] >= 50 and item["value"] > 0 for item in tree["latency"])
    assert json.loads((out / "recipe.json").read_text())["target"]["device"] == agent.url


@pytest.mark.slow
def test_a_run_is_benched_there(agent: AgentProcess, tiny_recipe: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("run", tiny_recipe, "--out", tmp_path / "run", "--device", agent.url, "train.epochs=1")
    assert done.returncode == 0, done.stderr
    asked = [json.loads((job / "request.json").read_text())["kind"] for job in agent.jobs()]
    assert asked == ["bench"]
    answered = json.loads((agent.jobs()[0] / "state.json").read_text())["result"]
    timed = json.loads((tmp_path / "run" / "bench.json").read_text())
    assert timed["measurements"] == answered["measurements"]


def test_an_export_is_proved_there(agent: AgentProcess, tiny_run: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "m.leansort"
    done = cli("export", tiny_run / "train", "--manifest", tiny_run, "--out", out, "--device", agent.url)
    assert done.returncode == 0, done.stderr
    assert f"and on {agent.url} (labels agree 100.00%" in done.stderr
    assert out.exists()


def test_an_agent_that_is_killed_goes_on_with_its_job(agent: AgentProcess, tiny_run: Path, folders: Path) -> None:
    photos = folders / "val"
    command = [sys.executable, "-m", "leansort", "bench", str(tiny_run / "model.leansort"), "--images", str(photos),
               "--seconds", "1", "--queries", "5", "--starts", "0", "--device", agent.url, "--json"]  # fmt: skip
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(2):
        _wait_until(lambda: bool(agent.jobs()))
        time.sleep(0.5)
        assert not (agent.jobs()[0] / "state.json").exists()
        agent.end(signal.SIGKILL)
        time.sleep(0.5)
        agent.start()
    out, err = client.communicate(timeout=120)
    assert client.returncode == 0, err
    assert "does not answer" in err
    assert len(agent.jobs()) == 1
    assert len(json.loads(out)["measurements"]) == 4


@pytest.mark.slow
def test_a_search_finds_the_same_winner_there(
    agent: AgentProcess, tiny_recipe: Path, tiny_run: Path, tmp_path: Path, cli: Cli
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text(
        f"name: two\nrecipe: {tiny_recipe}\nobjectives: [macro_f1]\nconstraints: {{model_p50_ms: 1000}}\n"
        "seconds: 0.05\ntrials: 2\nhalving: {rungs: 1, eta: 2, least: 2}\nsampler: {kind: random}\n"
        "start: [{train.lr: 1.0e-3}, {train.lr: 4.0e-3}]\nspace: {train.lr: {float: [1.0e-3, 4.0e-3], log: true}}\n"
    )
    best = []
    for device in ([], ["--device", agent.url]):
        out = tmp_path / f"study{len(device)}"
        done = cli("tune", "run", space, "--manifest", tiny_run, "--out", out, *device, "train.epochs=2")
        assert done.returncode == 0, done.stderr
        best.append(json.loads((out / "tune.json").read_text())["trials"])
    assert agent.jobs(), "nothing was asked of the device"
    scores = [[trial["outcome"]["f1"] for trial in trials] for trials in best]
    assert scores[0] == scores[1]
    assert all(trial["outcome"]["costs"]["model_p50_ms"] > 0 for trial in best[1])


@pytest.mark.slow
def test_the_commands_of_the_page_run_as_written(agent: AgentProcess, tmp_path: Path, cli: Cli) -> None:
    listed = commands("docs/device.md")
    assert sum("--device" in arguments for arguments in listed) >= 2
    for arguments in listed:
        done = cli(*(text.replace("http://127.0.0.1:8791", agent.url) for text in arguments), cwd=tmp_path)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
    assert len(agent.jobs()) >= 2


def test_a_stop_is_clean_and_mistakes_are_one_line(
    agent: AgentProcess, tiny_run: Path, folders: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, photos = tiny_run / "model.leansort", folders / "val"

    def refused(*given: str | Path, code: int = 2) -> str:
        done = cli("bench", bundle, "--images", photos, *given)
        lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert (done.returncode, len(lines), "Traceback" in done.stderr) == (code, 1, False), done.stderr
        return lines[0]

    assert "need http://HOST:PORT" in refused("--device", "robot")
    assert "did you mean 'onnxruntime'" in refused("--device", agent.url, "--engine", "onnxruntim")
    monkeypatch.setenv(device_address.TOKEN, "another-robots-token")
    assert "the token is wrong" in refused("--device", agent.url)
    monkeypatch.delenv(device_address.TOKEN)
    assert "another one has" in cli("agent", "--folder", agent.folder, "--port", "0").stderr
    assert "--plain" in cli("agent", "--folder", tmp_path / "other", "--address", "0.0.0.0").stderr
    assert agent.end(signal.SIGINT) == 0
    monkeypatch.setenv(device_client.PATIENCE_OF_USER, "0")
    assert "does not answer" in refused("--device", agent.url, code=1)
    agent.start()


def _wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)
