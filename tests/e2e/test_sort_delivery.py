"""`leansort sort --mqtt --webhook` as a user calls it: what arrives, what is lost, and that nobody waits."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import leansort
from tests.conftest import Cli
from tests.e2e.test_mistakes import refused
from tests.support.receivers import broker, free_port, webhook


@pytest.fixture(scope="module")
def belt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short drawn belt. Treat as read-only."""
    folder = tmp_path_factory.mktemp("belt") / "drawn"
    leansort.draw_sample(folder, seed=3, video=True, frames=90, size="320x180")
    return folder


def test_a_broker_and_a_webhook_get_what_is_printed(cli: Cli, belt: Path) -> None:
    given = ["sort", belt / "belt.mp4", "--boxes", belt / "truth.jsonl"]
    with broker() as running, webhook() as server:
        there = ["--mqtt", f"mqtt://127.0.0.1:{running.port}/belt/1", "--webhook", f"{server.url}/decisions"]
        done = cli(*given, *there)
        bodies = [json.loads(body) for _, _, body in server.requests]
        until = time.monotonic() + 20
        while len(running.messages) < len(bodies) and time.monotonic() < until:
            time.sleep(0.01)
        published = [json.loads(data) for _, data in running.messages]
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(printed) >= 2
    assert bodies == printed == published
    assert f"delivered {2 * len(printed)}" in done.stderr.splitlines()[-1]
    assert "undelivered" not in done.stderr


def test_receivers_that_are_dead_or_hang_delay_nothing_and_are_named_without_their_secrets(belt: Path) -> None:
    latencies, arrived = list[float](), list[leansort.SortDecision]()
    with webhook(hangs=True) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEANSORT_WEBHOOK_TOKEN", "hidden-token")
        result = leansort.sort(
            belt / "belt.mp4",
            boxes=belt / "truth.jsonl",
            mqtt=f"mqtt://me:hidden-word@127.0.0.1:{free_port()}/belt",
            webhook=f"{server.url}/hidden-path",
            on_decision=arrived.append,
        )
        latencies = [item.latency_ms for item in arrived]
    assert result.objects == len(arrived) >= 2
    assert (result.delivered, result.undelivered) == (0, 2 * result.objects)
    assert max(latencies) < 2000  # a receiver answers after five seconds at the earliest
    web, mqtt = (next(text for text in result.examples if kind in text) for kind in ("http://", "mqtt://"))
    assert f"{result.objects} of {result.objects} decisions not delivered (objects {arrived[0].object}, " in web
    assert "refused" in mqtt
    assert "hidden" not in str(result.to_json())


def test_mistakes_are_told_before_anything_is_started(cli: Cli, belt: Path) -> None:
    for given, said in (
        (("--mqtt", "mqt://me:hidden@h/t"), "did you mean 'mqtt'?"),
        (("--mqtt", "mqtt://me:hidden@h"), "names no topic"),
        (("--webhook", "plant.example"), "allowed: http://HOST:PORT/PATH"),
    ):
        done = cli("sort", belt / "belt.mp4", *given)
        refused(done, said)
        assert "hidden" not in done.stderr
    done = cli("sort", "rtsp://me:hidden@127.0.0.1:9/1")
    refused(done, "rtsp://127.0.0.1:9/1 is no video that can be read")
    assert "hidden" not in done.stderr
