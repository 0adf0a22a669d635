"""The HTTP side of an agent: who may ask, how much, and which request does what."""

from __future__ import annotations

import hmac
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import ValidationError

from leansort.core.errors import LeansortError, UserError
from leansort.core.files import json_documents
from leansort.core.files.typed_result import JsonObject
from leansort.core.process.console import say
from leansort.core.provenance import host, versions
from leansort.core.text.yaml_config import validation_faults
from leansort.measure.device.device_jobs import PROTOCOL, DeviceStatus, JobRequest
from leansort.runtime import engine as engines
from leansort.workflows.device.file_store import MOST_FILE, FileStore
from leansort.workflows.device.job_queue import JobQueue

Request = socket.socket | tuple[bytes, socket.socket]  # as socketserver has it; here always a socket
Peer = tuple[str, int]
MOST_CONNECTIONS = 32
SILENCE_S = 30.0  # of a client in the middle of a request
LONGEST_WAIT_S = 30.0
MOST_REQUEST = 4 << 20  # bytes of a job
_FILE, _JOB = re.compile(r"/v1/files/([0-9a-f]{64})"), re.compile(r"/v1/jobs/([0-9a-f]{32})")


class AgentServer(ThreadingHTTPServer):
    """A server for few clients, one thread each.

    Args:
        address: to bind to.
        family: of the address.
        token: that clients must send.
        store: of files.
        queue: of jobs.
        context: of TLS; None without.
        limit_s: seconds that a job may take, for the status.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, address: tuple[str, int], family: socket.AddressFamily, token: str, store: FileStore, queue: JobQueue,
        context: ssl.SSLContext | None, limit_s: float,
    ) -> None:  # fmt: skip
        self.address_family = family
        self.token, self.store, self.queue, self.limit_s = token, store, queue, limit_s
        self.engines = {name: _engines(name) for name in engines.DEFAULTS}
        self._context, self._places = context, threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Request, client_address: Peer) -> None:
        """Serve a connection in a thread of its own, or refuse it where there are too many."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        self.shutdown_request(request)

    def process_request_thread(self, request: Request, client_address: Peer) -> None:
        """Serve one connection; the handshake of TLS is part of it, so that nobody holds up the others by it."""
        try:
            assert isinstance(request, socket.socket)
            request.settimeout(SILENCE_S)
            if self._context:
                request = self._context.wrap_socket(request, server_side=True)
            super().process_request_thread(request, client_address)
        except OSError:
            self.shutdown_request(request)
        finally:
            self._places.release()

    def handle_error(self, request: Request, client_address: Peer) -> None:
        """Say in a line that a connection was lost."""
        say(f"agent: lost a connection from {client_address[0]}")


class _Handler(BaseHTTPRequestHandler):
    server: AgentServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "leansort", ""
    timeout = SILENCE_S

    def do_GET(self) -> None:
        """Tell of the agent or of a job."""
        self._answer(self._get)

    def do_HEAD(self) -> None:
        """Tell whether a file is here."""
        self._answer(self._head)

    def do_PUT(self) -> None:
        """Take a file or a job."""
        self._answer(self._put)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request; who did what is in the jobs."""

    def _answer(self, what: Callable[[SplitResult], None]) -> None:
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {self.server.token}".encode()):
            self._refuse(401, "the token is wrong")
            return
        try:
            what(urlsplit(self.path))
        except LeansortError as error:
            self._refuse(400 if isinstance(error, UserError) else 500, str(error))

    def _get(self, url: SplitResult) -> None:
        if url.path == "/v1/status":
            self._send(200, self._status().to_json())
        elif job := _JOB.fullmatch(url.path):
            state = self.server.queue.state(job[1], _wait_s(url.query))
            self._send(200, state.to_json()) if state else self._refuse(404, "no such job")
        else:
            self._refuse(404, f"no such address: {url.path}")

    def _head(self, url: SplitResult) -> None:
        file = _FILE.fullmatch(url.path)
        self._send(200 if file and self.server.store.has(file[1]) else 404, {})

    def _put(self, url: SplitResult) -> None:
        if file := _FILE.fullmatch(url.path):
            if (data := self._body(MOST_FILE)) is not None:
                self.server.store.put(file[1], data, self.server.queue.needed())
                self._send(201, {})
        elif job := _JOB.fullmatch(url.path):
            if (data := self._body(MOST_REQUEST)) is not None:
                self.server.queue.submit(job[1], _request(data))
                self._send(201, {})
        else:
            self._refuse(404, f"no such address: {url.path}")

    def _body(self, most: int) -> bytes | None:
        """The request's body; None where it was refused."""
        text = self.headers.get("Content-Length", "")
        if not text.isdecimal() or len(text) > 12:
            self._refuse(411, "the length of the content is not said")
            return None
        if int(text) > most:
            self._refuse(413, f"the content has {int(text) / 1e6:.1f} MB, at most {most / 1e6:.0f} MB are taken")
            return None
        return self.rfile.read(int(text))

    def _status(self) -> DeviceStatus:
        known = versions()
        return DeviceStatus(
            protocol=PROTOCOL, leansort=known["leansort"], versions=known, host=host(), engines=self.server.engines,
            waiting=self.server.queue.waiting(), limit_s=self.server.limit_s, most_mb=MOST_FILE / 1e6,
        )  # fmt: skip

    def _refuse(self, status: int, error: str) -> None:
        """Say what is wrong, and close: what is left of the request is not read."""
        self.close_connection = True
        self._send(status, {"error": error})

    def _send(self, status: int, tree: JsonObject) -> None:
        data = json.dumps(tree, allow_nan=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _engines(graph_format: str) -> tuple[str, ...]:
    suits = engines.DEFAULTS[graph_format]
    return tuple(sorted(engines.installed_engines(graph_format), key=lambda name: (name != suits, name)))


def _wait_s(query: str) -> float:
    text = parse_qs(query).get("wait", ["0"])[0]
    return min(LONGEST_WAIT_S, float(text)) if text.isdecimal() and len(text) < 6 else 0.0


def _request(data: bytes) -> JobRequest:
    """Read a job from a stranger."""
    try:
        tree: object = json.loads(data)
    except (ValueError, RecursionError):
        raise UserError("the job is no JSON") from None
    json_documents.require_sane(tree, "job")
    try:
        return JobRequest.model_validate(tree)
    except ValidationError as error:
        raise UserError("; ".join(validation_faults(error, JobRequest, "job."))) from None
