"""Delivery of decisions: in order, again after failures, never waited for, counted where lost; secrets unseen."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from leansort.core.errors import MissingExtraError, UserError
from leansort.core.writing.escaping import without_password
from leansort.runtime.delivery.delivery_queue import DeliveryQueue
from leansort.runtime.delivery.mqtt_receiver import MqttReceiver
from leansort.runtime.delivery.receiver import Refused, Undelivered
from leansort.runtime.delivery.receiver_address import (
    MQTT_PASSWORD,
    WEBHOOK_TOKEN,
    mqtt_address,
    webhook_address,
)
from leansort.runtime.delivery.webhook_receiver import WebhookReceiver
from tests.support.receivers import broker, free_port, webhook


class Told:
    """A receiver that does what it is told for each attempt: None takes it, an error raises it."""

    name = "told"

    def __init__(self, *plan: Exception | None, wait: threading.Event | None = None) -> None:
        self.got, self.closed, self.attempts = list[bytes](), False, 0
        self._plan, self._wait = list(plan), wait

    def send(self, message: bytes) -> None:
        self.attempts += 1
        if self._wait is not None:
            self._wait.wait(30)
        error = self._plan.pop(0) if self._plan else None
        if error is not None:
            raise error
        self.got.append(message)

    def close(self) -> None:
        self.closed = True


def until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_messages_arrive_in_order_and_failures_are_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    receiver = Told(None, Undelivered("away"), Undelivered("away"), ValueError("odd"), None, Refused("not this one"))
    queue = DeliveryQueue(receiver, first_wait=0.01, longest_wait=0.02)
    for number in range(1, 6):
        queue.put(number, b"%d" % number)
    queue.close()
    queue.close()
    assert receiver.got == [b"1", b"2", b"4", b"5"]
    assert (queue.delivered, queue.lost, receiver.attempts, receiver.closed) == (4, 1, 8, True)
    assert queue.report() == "told: 1 of 5 decisions not delivered (objects 3): not this one"
    said = capsys.readouterr().err
    assert "sort: told: away; decisions wait, 1,000 at most" in said
    assert "takes decisions again, after 3 failed attempts" in said


def test_a_receiver_that_hangs_delays_nobody_and_what_is_lost_is_counted_and_named() -> None:
    release = threading.Event()
    receiver = Told(wait=release)
    queue = DeliveryQueue(receiver, most=10)
    begun = time.monotonic()
    for number in range(1, 1001):
        queue.put(number, b"x")
        if number == 1:
            until(lambda: receiver.attempts == 1)
    assert time.monotonic() - begun < 5
    assert queue.lost == 989  # one is on its way, ten wait
    queue.close(0.2)
    assert (queue.delivered, queue.lost) == (0, 1000)
    assert queue.report().startswith(
        "told: 1,000 of 1,000 decisions not delivered (objects 2, 3, 4, 5, 6 and 995 more)"
    )
    release.set()
    until(lambda: receiver.closed)
    assert (queue.delivered, queue.lost) == (0, 1000)  # what comes later changes nothing


def test_a_dead_receiver_is_given_up_when_time_is_up() -> None:
    queue = DeliveryQueue(Told(*[Undelivered("nobody there")] * 1000), first_wait=60)
    queue.put(7, b"x")
    queue.put(8, b"y")
    begun = time.monotonic()
    queue.close(0.5)
    assert time.monotonic() - begun < 5
    assert queue.report() == "told: 2 of 2 decisions not delivered (objects 7, 8): nobody there"


def test_a_webhook_gets_json_over_one_connection_with_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEBHOOK_TOKEN, "a-secret")
    with webhook() as server:
        receiver = WebhookReceiver(webhook_address(f"{server.url}/belt 1?line=2"))
        for _ in range(3):
            receiver.send(b'{"object": 1}')
        receiver.close()
        paths, headers, bodies = zip(*server.requests, strict=True)
    assert set(paths) == {"/belt%201?line=2"}
    assert {item["Authorization"] for item in headers} == {"Bearer a-secret"}
    assert {item["Content-Type"] for item in headers} == {"application/json"}
    assert set(bodies) == {b'{"object": 1}'}
    assert server.connections == 1


def test_a_webhook_that_hung_up_meanwhile_is_asked_anew_at_once() -> None:
    with webhook(lambda number: 0 if number == 1 else 200) as server:
        receiver = WebhookReceiver(webhook_address(server.url))
        receiver.send(b"1")
        receiver.send(b"2")  # hung up in between: posted once more
        receiver.close()
    assert [body for _, _, body in server.requests] == [b"1", b"2", b"2"]


@pytest.mark.parametrize(("status", "error"), [(500, Undelivered), (429, Undelivered), (404, Refused), (302, Refused)])
def test_answers_of_a_webhook(status: int, error: type[Exception]) -> None:
    with webhook(lambda _: status) as server:
        receiver = WebhookReceiver(webhook_address(server.url))
        with pytest.raises(error, match=f"HTTP status {status}"):
            receiver.send(b"x")
        receiver.close()


def test_a_webhook_that_is_dead_or_says_nothing() -> None:
    with pytest.raises(Undelivered, match="refused"):
        WebhookReceiver(webhook_address(f"http://127.0.0.1:{free_port()}")).send(b"x")
    with webhook(hangs=True) as server:
        receiver = WebhookReceiver(webhook_address(server.url), seconds=0.1)
        with pytest.raises(Undelivered, match="timed out"):
            receiver.send(b"x")


def test_a_broker_gets_messages_and_gets_them_again_after_it_was_away() -> None:
    with broker() as running:
        receiver = MqttReceiver(mqtt_address(f"mqtt://127.0.0.1:{running.port}/belt/1"), seconds=3)
        queue = DeliveryQueue(receiver, first_wait=0.05, longest_wait=0.1)
        queue.put(1, b"one")
        until(lambda: queue.delivered == 1)
        running.stop()
        queue.put(2, b"two")
        queue.put(3, b"three")
        time.sleep(0.3)
        assert queue.delivered == 1
        running.start()
        until(lambda: queue.delivered == 3)
        queue.close()
        until(lambda: len(running.messages) >= 3)
    assert [data for _, data in dict.fromkeys(running.messages)] == [b"one", b"two", b"three"]
    assert {topic for topic, _ in running.messages} == {"belt/1"}
    assert (queue.lost, queue.report()) == (0, "")


def test_a_broker_that_knows_the_password_and_one_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    file = tmp_path / "passwords"
    file.write_text(f"robot:{PasswordHash((Argon2Hasher(),)).hash('right-word')}\n")
    monkeypatch.setenv(MQTT_PASSWORD, "right-word")
    with broker(file) as running:
        receiver = MqttReceiver(mqtt_address(f"mqtt://robot@127.0.0.1:{running.port}/belt"))
        receiver.send(b"x")
        receiver.close()
        receiver = MqttReceiver(mqtt_address(f"mqtt://robot:wrong-word@127.0.0.1:{running.port}/belt"), seconds=1)
        with pytest.raises(Undelivered, match="broker") as raised:
            receiver.send(b"x")
    assert "word" not in f"{raised.value} {receiver.name}"


def test_a_broker_that_takes_connections_and_says_nothing() -> None:
    with webhook(hangs=True) as silent:  # any server that waits for more
        receiver = MqttReceiver(mqtt_address(silent.url.replace("http", "mqtt") + "/belt"), seconds=0.2)
        with pytest.raises(Undelivered, match=r"does not answer|timed out|no answer|refuses"):
            receiver.send(b"x")


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'leansort\[mqtt\]'"):
        MqttReceiver(mqtt_address("mqtt://h/t"))


def test_addresses() -> None:
    plain = mqtt_address("mqtt://broker/belt/1")
    assert (plain.host, plain.port, plain.path, plain.secure) == ("broker", 1883, "belt/1", False)
    secure = mqtt_address("mqtts://me:p%40ss@[::1]:99/a%20b")
    assert (secure.host, secure.port, secure.path, secure.user, secure.password) == ("::1", 99, "a b", "me", "p@ss")
    assert secure.shown == "mqtts://[::1]:99/a b"
    web = webhook_address("https://u:secret@host/hook/secret?key=secret")
    assert (web.port, web.path, web.shown) == (443, "/hook/secret?key=secret", "https://host:443")
    assert "secret" not in repr(web)
    assert without_password("rtsp://me:secret@cam:554/a@b") == "rtsp://cam:554/a@b"
    assert without_password("photos/a@b") == "photos/a@b"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("broker", "this is no address"),
        ("mqt://me:secret@h/t", "did you mean 'mqtt'"),
        ("mqtt://me:secret@h", "names no topic"),
        ("mqtt://h/a/%23", "has none of"),
        ("mqtt://h/a/#", "has none of"),
        ("mqtt://me:secret@h:99999/t", "this is no address"),
        ("mqtt://:secret@h/t", "a password without a user"),
        ("mqtt:///t", "names no host"),
        ("mqtt://h/a%0Ab", "control characters"),
    ],
)
def test_addresses_that_are_none(text: str, why: str) -> None:
    with pytest.raises(UserError, match="sort: --mqtt: ") as raised:
        mqtt_address(text)
    assert why in str(raised.value)
    assert "secret" not in str(raised.value)


def test_webhook_addresses_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"allowed: http, https"):
        webhook_address("ftp://me:secret@h/")
    monkeypatch.setenv(WEBHOOK_TOKEN, "a token")
    with pytest.raises(UserError, match="one of the two"):
        webhook_address("http://me:secret@h/")
    monkeypatch.setenv(WEBHOOK_TOKEN, "a\ttoken")
    with pytest.raises(UserError, match="printable ASCII"):
        webhook_address("http://h/")
