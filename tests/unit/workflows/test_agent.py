"""The agent and its client, in one process over loopback."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leansort.arch.spec.spec import ArchSpec
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, MachineError, UserError
from leansort.core.writing import atomic_io
from leansort.export.onnx import export_onnx
from leansort.measure.device import device_address, device_client
from leansort.measure.device.device_client import DeviceClient
from leansort.measure.device.device_jobs import BundleOnDevice, JobRequest, LatencyJob, LatencyTimes
from leansort.measure.device.device_timing import device_status, engine_on_device, logits_on_device, time_on_device
from leansort.runtime import engine as engines
from leansort.testing.sample_networks import model_of
from leansort.workflows.device.agent import Agent, AgentSettings
from leansort.workflows.device.file_store import FileStore
from leansort.workflows.device.job_queue import JobQueue
from tests.conftest import draw

Started = Callable[..., Agent]
SIZE = 32


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return export_onnx(model_of(ArchSpec(base="tiny_s", classes=6), SIZE))


@contextmanager
def serving(settings: AgentSettings) -> Iterator[Agent]:
    agent = Agent(settings)
    thread = threading.Thread(target=agent.serve)
    thread.start()
    try:
        yield agent
    finally:
        agent.stop()
        thread.join()


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    with serving(AgentSettings(folder=tmp_path / "agent", port=0)) as running:
        monkeypatch.setenv(device_address.TOKEN, running.token_file.read_text().strip())
        monkeypatch.setenv(device_client.PATIENCE_OF_USER, "1")
        yield running


def ask(agent: Agent, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, Any]]:
    """A request as a stranger sends it."""
    link = http.client.HTTPConnection(agent.url.removeprefix("http://"), timeout=20)
    token = agent.token_file.read_text().strip()
    link.request(method, path, body or None, {"Authorization": f"Bearer {token}", **headers})
    reply = link.getresponse()
    data = reply.read()
    link.close()
    return reply.status, json.loads(data) if data else {}


def test_latencies_are_taken_by_name_with_and_without_photos(agent: Agent, bundle: Bundle, tmp_path: Path) -> None:
    draw(tmp_path / "photo.jpg", 0, 0)
    photo = (tmp_path / "photo.jpg").read_bytes()
    pairs = {"one": (bundle, ""), "two": (bundle, "onnxruntime")}
    times = time_on_device(agent.url, pairs, threads=1, seconds=0.01, least=7, photos=[photo])
    assert set(times.model) == set(times.label) == {"one", "two"}
    assert all(len(taken) >= 7 and min(taken) > 0 for taken in (*times.model.values(), *times.label.values()))
    assert times.host == device_status(agent.url).host
    assert time_on_device(agent.url, pairs, threads=1, seconds=0.01, least=3).label == {}


def test_logits_are_those_of_this_machine(agent: Agent, bundle: Bundle) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3)).astype(np.uint8)
    here = engines.compute_logits(engines.load_engine(bundle), pixels)
    np.testing.assert_array_equal(logits_on_device(agent.url, bundle, "", pixels), here)


def test_the_engine_of_a_device_is_the_wanted_one_where_it_is_there(
    agent: Agent, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    status = device_status(agent.url)
    assert status.engines["onnx"][0] == "onnxruntime"
    assert engine_on_device(bundle, "onnxruntime:spin=false", status) == "onnxruntime:spin=false"
    assert engine_on_device(bundle, "", status) == "onnxruntime"
    assert "has no" not in capsys.readouterr().err
    assert engine_on_device(bundle, "made-up", status) == "onnxruntime"
    assert "it has no made-up for format onnx; timed by onnxruntime" in capsys.readouterr().err


def test_a_wrong_token_is_refused_and_shown_nowhere(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(device_address.TOKEN, "a-token-of-somebody-else")
    with pytest.raises(UserError, match="the token is wrong") as refused:
        device_status(agent.url)
    assert "somebody" not in str(refused.value)
    assert ask(agent, "GET", "/v1/status", Authorization="")[0] == 401
    assert ask(agent, "PUT", f"/v1/files/{'0' * 64}", b"x", Authorization="Bearer \u00e9")[0] == 401


def test_what_is_no_bundle_is_refused_in_a_line(agent: Agent) -> None:
    data = b"not a bundle"
    job = LatencyJob(bundles={"it": BundleOnDevice(file=atomic_io.sha256(data))}, seconds=0.01)
    with DeviceClient(agent.url) as client, pytest.raises(UserError, match=r"bundle") as refused:
        client.run(job, LatencyTimes, [data])
    assert "\n" not in str(refused.value)
    missing = LatencyJob(bundles={"it": BundleOnDevice(file="0" * 64)}, seconds=0.01)
    with DeviceClient(agent.url) as client, pytest.raises(UserError, match="1 files of the job are not here"):
        client.run(missing, LatencyTimes, [])


def test_an_engine_that_is_not_there_is_refused(agent: Agent, bundle: Bundle) -> None:
    with pytest.raises(UserError, match=r"did you mean 'onnxruntime'"):
        time_on_device(agent.url, {"it": (bundle, "onnxruntim")}, threads=1, seconds=0.01, least=1)


def test_a_job_that_takes_too_long_is_ended(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(AgentSettings(folder=tmp_path, port=0, job_limit_s=1)) as agent:
        monkeypatch.setenv(device_address.TOKEN, agent.token_file.read_text().strip())
        with pytest.raises(LeansortError, match="took more than 1 s"):
            time_on_device(agent.url, {"it": (bundle, "")}, threads=1, seconds=3600, least=1)
        assert device_status(agent.url).waiting == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/files/../../../etc/passwd", b"", 404),
        ("GET", "/v1/jobs/" + "g" * 32, b"", 404),
        ("GET", "/v1/jobs/" + "a" * 32 + "?wait=99999999999", b"", 404),
        ("PUT", "/v1/files/%2e%2e%2ftoken", b"x", 404),
        ("PUT", "/v1/files/" + "0" * 64, b"x", 400),
        ("PUT", "/v1/jobs/" + "a" * 32, b"{", 400),
        ("PUT", "/v1/jobs/" + "a" * 32, b"[" * 100_000, 400),
        ("PUT", "/v1/jobs/" + "a" * 32, b'{"kind": "shell", "job": {"command": "id"}}', 400),
        ("PUT", "/v1/jobs/" + "a" * 32, b'{"kind": "latency", "job": {"bundles": {"a": {"file": "../token"}}}}', 400),
        ("PUT", "/v1/jobs/" + "a" * 32, b'{"kind": "latency", "job": {"bundles": {}, "seconds": 1e999}}', 400),
        ("POST", "/v1/status", b"", 501),
    ],
)
def test_hostile_requests_are_refused(agent: Agent, method: str, path: str, body: bytes, status: int) -> None:
    link = http.client.HTTPConnection(agent.url.removeprefix("http://"), timeout=20)
    link.request(method, path, body or None, {"Authorization": f"Bearer {agent.token_file.read_text().strip()}"})
    assert link.getresponse().status == status
    link.close()
    assert device_status(agent.url).waiting == 0


def test_a_huge_upload_is_refused_before_it_is_read(agent: Agent) -> None:
    for length, status in (("999999999999", 413), ("-1", 411), ("1e3", 411), ("9" * 40, 411)):
        link = http.client.HTTPConnection(agent.url.removeprefix("http://"), timeout=20)
        link.putrequest("PUT", f"/v1/files/{'0' * 64}")
        link.putheader("Authorization", f"Bearer {agent.token_file.read_text().strip()}")
        link.putheader("Content-Length", length)
        link.endheaders()
        assert link.getresponse().status == status
        link.close()


def test_waiting_jobs_and_results_outlive_the_agent(bundle: Bundle, tmp_path: Path) -> None:
    data = bundle.to_bytes()
    store, digest = FileStore(tmp_path / "files"), atomic_io.sha256(data)
    store.put(digest, data, needed=())
    job = {"bundles": {"it": {"file": digest}}, "seconds": 0.01, "least": 1}
    request = JobRequest(kind="latency", job=job)  # type: ignore[arg-type]
    before = JobQueue(tmp_path, limit_s=60)
    for name in ("b" * 32, "a" * 32):
        before.submit(name, request)
        before.submit(name, request)  # asked twice
    assert before.waiting() == 2
    assert before.needed() == {digest}
    (tmp_path / "jobs" / "half.half").mkdir()  # what a killed agent was about to take on
    after = JobQueue(tmp_path, limit_s=60)
    states = [after.state(name * 32, 0) for name in "ba"]
    assert [(state.state, state.before) for state in states if state] == [("running", 0), ("queued", 1)]
    thread = threading.Thread(target=after.work)
    thread.start()
    done = [after.state(name * 32, 60) for name in "ba"]
    after.stop()
    thread.join()
    assert [state.state for state in done if state] == ["done", "done"]
    again = JobQueue(tmp_path, limit_s=60)
    assert again.waiting() == 0
    assert again.state("a" * 32, 0) == done[1]


def test_the_oldest_files_go_where_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leansort.workflows.device.file_store.MOST_TOTAL", 25)
    store, names = FileStore(tmp_path), []
    for at in range(3):
        data = bytes([at]) * 10
        names.append(atomic_io.sha256(data))
        store.put(names[-1], data, needed={names[0]})
    assert [store.has(name) for name in names] == [True, False, True]
    with pytest.raises(UserError, match="the waiting jobs hold"):
        store.put(atomic_io.sha256(b"x" * 10), b"x" * 10, needed=set(names))


def test_plain_text_leaves_the_machine_only_where_that_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--plain on a network that is trusted"):
        Agent(AgentSettings(folder=tmp_path, address="0.0.0.0", port=0))
    with pytest.raises(UserError, match="--key has no effect"):
        Agent(AgentSettings(folder=tmp_path, port=0, key=tmp_path / "key.pem"))
    (tmp_path / "token").write_text("short")
    with pytest.raises(UserError, match="needs 16 or more"):
        Agent(AgentSettings(folder=tmp_path, port=0))


def test_two_agents_do_not_share_a_folder_and_a_new_token_is_private(agent: Agent) -> None:
    assert agent.token_file.stat().st_mode & 0o077 == 0
    with pytest.raises(UserError, match="another one has"):
        Agent(AgentSettings(folder=agent.token_file.parent, port=0))


def test_a_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = tmp_path / "robot.pem", tmp_path / "robot.key"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=robot", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl makes no certificate here")
    with serving(AgentSettings(tmp_path / "agent", port=0, certificate=certificate, key=key)) as agent:
        assert agent.url.startswith("https://")
        monkeypatch.setenv(device_address.TOKEN, agent.token_file.read_text().strip())
        monkeypatch.setenv(device_client.PATIENCE_OF_USER, "0.5")
        with pytest.raises(UserError, match="the certificate is not trusted"):
            device_status(agent.url)
        monkeypatch.setenv(device_address.AUTHORITY, str(certificate))
        assert device_status(agent.url).protocol == 1
        with pytest.raises(MachineError, match="does not answer"):
            device_status(agent.url.replace("https", "http"))
        with pytest.raises((ssl.SSLError, OSError)):
            http.client.HTTPSConnection(agent.url.removeprefix("https://"), timeout=5).request("GET", "/v1/status")
    monkeypatch.setenv(device_address.AUTHORITY, str(tmp_path / "none.pem"))
    with pytest.raises(UserError, match="names no file of certificates"):
        device_status("https://127.0.0.1:1")


def test_a_device_that_is_away_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(device_address.TOKEN, "some-token-or-other")
    monkeypatch.setenv(device_client.PATIENCE_OF_USER, "0.3")
    with pytest.raises(MachineError, match=r"http://127\.0\.0\.1:1 does not answer"):
        device_status("http://127.0.0.1:1")
    monkeypatch.setenv(device_client.PATIENCE_OF_USER, "soon")
    with pytest.raises(UserError, match="got 'soon', need seconds"):
        device_status("http://127.0.0.1:1")


def test_ssh_that_fails_is_said_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "ssh"
    script.write_text("#!/bin/sh\necho 'Warning: x' >&2\necho 'Permission denied (publickey).' >&2\nexit 255\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv(device_address.TOKEN, "some-token-or-other")
    monkeypatch.setenv(device_client.PATIENCE_OF_USER, "0.1")
    with pytest.raises(MachineError, match="Permission denied"):
        device_status("ssh:robot")
