"""A slow link between a client and a server: a proxy for TCP that delays every byte, and can be cut.

And a far machine: a network namespace with an address of its own where the kernel and the user's rights allow one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_PIECE = 1 << 16  # bytes that are passed on at a time


class SlowLink:
    """Passes connections on, each byte `delay` seconds later. Runs in a thread of its own.

    Args:
        host: of the server.
        port: of it.
        delay: seconds each way.

    Attributes:
        port: on which the link listens, on the loopback address.
        cuts: number of bytes to the server after which a connection is cut, one for each of the next connections that
            reach it; those that are done are gone.
        cut: number of connections that were cut.
        passed: number of bytes that reached the server.
    """

    def __init__(self, host: str, port: int, delay: float = 0.08) -> None:
        self.cuts, self.cut, self.passed = list[int](), 0, 0
        self._host, self._to, self._delay = host, port, delay
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _listen(self) -> int:
        server = await asyncio.start_server(self._link, "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(self._delay)  # of the handshake
            there_reader, there_writer = await asyncio.open_connection(self._host, self._to)
        except OSError:
            writer.close()
            return
        ways = (self._pass(reader, there_writer, to_server=True), self._pass(there_reader, writer, to_server=False))
        tasks = [asyncio.ensure_future(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for end in (writer, there_writer):
            if end.transport:
                end.transport.abort() if self._is_cut(tasks) else end.close()

    def _is_cut(self, tasks: list[asyncio.Task[bool]]) -> bool:
        return any(task.done() and not task.cancelled() and task.result() for task in tasks)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool) -> bool:
        """Pass bytes on until an end; True where the link was cut."""
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sending = asyncio.ensure_future(self._send(due, writer))
        total = 0
        try:
            while data := await reader.read(_PIECE):
                total += len(data)
                if to_server and self.cuts and total > self.cuts[0]:
                    self.cuts.pop(0)
                    self.cut += 1
                    return True
                self.passed += len(data) if to_server else 0
                due.put_nowait((self._loop.time() + self._delay, data))
            due.put_nowait((self._loop.time() + self._delay, b""))
            await sending
        except OSError:
            pass
        finally:
            sending.cancel()
        return False

    async def _send(self, due: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            at, data = await due.get()
            await asyncio.sleep(max(0.0, at - self._loop.time()))
            if not data:
                return
            writer.write(data)
            await writer.drain()


@contextmanager
def slow_link(host: str, port: int, delay: float = 0.08) -> Iterator[SlowLink]:
    link = SlowLink(host, port, delay)
    try:
        yield link
    finally:
        link.close()


@dataclass(frozen=True)
class FarMachine:
    """Where a server runs: what its command begins with, and the address at which it is reached; both may be local."""

    prefix: tuple[str, ...]
    host: str
    is_far: bool


@contextmanager
def far_machine() -> Iterator[FarMachine]:
    """A network namespace behind a pair of virtual cables; the loopback address where that is not permitted."""
    name, net = f"ls{os.getpid()}", f"10.{200 + os.getpid() % 50}.{os.getpid() % 250}"
    steps = (
        f"netns add {name}",
        f"link add {name}a type veth peer name {name}b netns {name}",
        f"addr add {net}.1/30 dev {name}a",
        f"link set {name}a up",
        f"-n {name} addr add {net}.2/30 dev {name}b",
        f"-n {name} link set {name}b up",
        f"-n {name} link set lo up",
    )
    ip = shutil.which("ip")
    try:
        if ip is not None and all(_succeeds(ip, step) for step in steps):
            yield FarMachine((ip, "netns", "exec", name), f"{net}.2", True)
        else:
            yield FarMachine((), "127.0.0.1", False)
    finally:
        if ip is not None:
            _succeeds(ip, f"link del {name}a")
            _succeeds(ip, f"netns del {name}")


def _succeeds(ip: str, step: str) -> bool:
    return subprocess.run([ip, *step.split()], capture_output=True, check=False).returncode == 0
