"""Receivers of decisions on the loopback address: an MQTT broker (amqtt), and a webhook that may be slow or rude."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from amqtt.broker import Broker
from amqtt.client import MQTTClient

Status = Callable[[int], int]  # from the number of the request, from 0, to what is answered; 0 hangs up


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class BrokerProcess:
    """A broker in a thread, which can be stopped and started again, and what was published to it."""

    def __init__(self, passwords: Path | None = None) -> None:
        self.port, self.messages = free_port(), list[tuple[str, bytes]]()
        self._passwords = passwords
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._broker: Broker | None = None
        self._tasks = list[asyncio.Task[None]]()

    def start(self) -> None:
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)

    def close(self) -> None:
        if self._broker is not None:
            self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _start(self) -> None:
        plugins: dict[str, dict[str, object]] = {
            "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
        }
        if self._passwords is not None:
            plugins = {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(self._passwords)}}
        listeners = {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}}
        self._broker = Broker({"listeners": listeners, "plugins": plugins}, loop=self._loop)
        await self._broker.start()
        if self._passwords is None:
            client = MQTTClient(config={"auto_reconnect": False})
            await client.connect(f"mqtt://127.0.0.1:{self.port}/")
            await client.subscribe([("#", 1)])
            self._client = client
            self._tasks = [self._loop.create_task(self._listen(client))]

    async def _listen(self, client: MQTTClient) -> None:
        while True:
            message = await client.deliver_message()
            if message is not None:
                self.messages.append((message.topic, bytes(message.data or b"")))

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        assert self._broker is not None
        await self._broker.shutdown()
        self._broker = None


@contextmanager
def broker(passwords: Path | None = None) -> Iterator[BrokerProcess]:
    running = BrokerProcess(passwords)
    running.start()
    try:
        yield running
    finally:
        running.close()


class Webhook:
    """What a webhook got: path, headers and body of each request."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests = list[tuple[str, dict[str, str], bytes]]()
        self.release = threading.Event()
        self.connections = 0


@contextmanager
def webhook(status: Status = lambda _: 204, *, hangs: bool = False, port: int = 0) -> Iterator[Webhook]:
    """Serve; `hangs` answers nothing before the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            made.connections += 1

        def do_POST(self) -> None:
            number = len(made.requests)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.requests.append((self.path, dict(self.headers), body))
            if hangs:
                made.release.wait(30)
            code = status(number)
            if not code:
                self.close_connection = True
                return
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    made = Webhook(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.release.set()
        server.shutdown()
        server.server_close()
