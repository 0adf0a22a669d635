"""`--device ssh:…` through a real sshd: measured there, the tunnel killed in between, and what ssh refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leansort.measure.device import device_address, device_client
from tests.conftest import Cli
from tests.e2e.test_device import AgentProcess
from tests.support.ssh_server import HOST, SshServer, ssh_server

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    (tmp_path / "ssh").mkdir()
    with ssh_server(tmp_path / "ssh") as running:
        monkeypatch.setenv("PATH", running.path)
        yield running


@pytest.fixture
def agent(server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AgentProcess]:
    running = AgentProcess(tmp_path / "agent")
    monkeypatch.setenv(device_address.TOKEN_FILE, str(running.folder / "token"))
    yield running
    running.end(signal.SIGKILL)


def device_of(agent: AgentProcess) -> str:
    return f"ssh:{HOST}:{agent.port}"


def tunnels(process: int) -> list[int]:
    """The ssh processes that a process has started."""
    listed = subprocess.run(["pgrep", "-P", str(process), "-x", "ssh"], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


def test_a_bench_goes_on_when_its_tunnel_is_killed(agent: AgentProcess, tiny_run: Path, folders: Path) -> None:
    command = [sys.executable, "-m", "leansort", "bench", str(tiny_run / "model.leansort"), "--images",
               str(folders / "val"), "--seconds", "1", "--queries", "5", "--starts", "0", "--device", device_of(agent),
               "--json"]  # fmt: skip
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not (agent.jobs() and tunnels(client.pid)):
        assert client.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    [tunnel] = tunnels(client.pid)
    os.kill(tunnel, signal.SIGKILL)
    out, err = client.communicate(timeout=120)
    assert client.returncode == 0, err
    assert f"{device_of(agent)} does not answer" in err
    assert len(agent.jobs()) == 1
    assert len(json.loads(out)["measurements"]) == 4


def test_an_export_is_proved_at_the_other_end(agent: AgentProcess, tiny_run: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "m.leansort"
    done = cli("export", tiny_run / "train", "--manifest", tiny_run, "--out", out, "--device", device_of(agent))
    assert done.returncode == 0, done.stderr
    assert f"and on {device_of(agent)} (labels agree 100.00%" in done.stderr
    assert out.exists()


def test_what_ssh_refuses_is_one_line(
    agent: AgentProcess, server: SshServer, tiny_run: Path, folders: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(device_client.PATIENCE_OF_USER, "0")

    def refused(device: str) -> str:
        done = cli("bench", tiny_run / "model.leansort", "--images", folders / "val", "--device", device)
        lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert (done.returncode, len(lines), "Traceback" in done.stderr) == (1, 1, False), done.stderr
        return lines[0]

    agent.end(signal.SIGKILL)
    assert "does not answer" in refused(device_of(agent))  # the tunnel stands, and nobody is at its end
    agent.start()
    (server.folder / "user_key.pub").write_text("")
    assert "Permission denied" in refused(device_of(agent))
    server.process.kill()
    server.process.wait()
    assert "Connection refused" in refused(device_of(agent))
