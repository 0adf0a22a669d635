"""`leansort agent`: what it binds to, its token and certificate, and its life from start to stop."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from leansort.core.errors import MachineError, UserError, one_line
from leansort.core.process.console import say
from leansort.core.writing import atomic_io, file_lock
from leansort.measure.device.device_address import PORT, SHORTEST
from leansort.workflows.device.agent_server import AgentServer
from leansort.workflows.device.file_store import FileStore
from leansort.workflows.device.job_queue import JobQueue

JOB_LIMIT_S = 1800.0


@dataclass(frozen=True)
class AgentSettings:
    """How an agent serves.

    Attributes:
        folder: its own; nothing outside is written or read for a client.
        address: that it binds to.
        port: 0 takes a free one.
        token_file: whose content clients must send; made with a new token where it is missing. None: `token` in the
            folder.
        certificate: PEM file of its TLS certificate with its chain; None: no TLS.
        key: PEM file of the private key; None: in the certificate's file.
        plain: serve on other than loopback addresses without TLS, so that the token goes over the network readable.
        job_limit_s: seconds that a job may take.
    """

    folder: Path
    address: str = "127.0.0.1"
    port: int = PORT
    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    plain: bool = False
    job_limit_s: float = JOB_LIMIT_S


class Agent:
    """An agent that is bound and ready; `serve` answers until `stop`.

    Args:
        settings: how it serves.

    Raises:
        UserError: the address is not on this machine or taken, plain text would leave the machine unasked, the
            certificate cannot be used, the token is too short, or another agent has the folder.
    """

    def __init__(self, settings: AgentSettings) -> None:
        _require_protected(settings)
        context = _tls(settings)
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = file_lock.take_lock(settings.folder / "agent.lock", f"agent: another one has {settings.folder}")
        try:
            self.token_file = settings.token_file or settings.folder / "token"
            token = _token(self.token_file)
            self._queue = JobQueue(settings.folder, settings.job_limit_s)
            self._server = _bound(settings, token, FileStore(settings.folder / "files"), self._queue, context)
        except BaseException:
            self._lock.release()
            raise
        host, port = self._server.server_address[:2]
        host = f"[{host!s}]" if ":" in str(host) else str(host)
        self.url = f"http{'s' if context else ''}://{host}:{port}"

    def serve(self) -> None:
        """Answer, and do jobs, until `stop` or an interruption."""
        worker = threading.Thread(target=self._queue.work, name="jobs")
        worker.start()
        try:
            self._server.serve_forever(poll_interval=0.2)
        finally:
            self._queue.stop()
            worker.join()
            self._server.server_close()
            self._lock.release()

    def stop(self) -> None:
        """Stop serving; from another thread."""
        self._server.shutdown()


def _require_protected(settings: AgentSettings) -> None:
    if settings.certificate or settings.plain or _is_loopback(settings.address):
        return
    raise UserError(
        f"agent: {settings.address} is reached from other machines, and the token would be readable on the way; "
        "give --certificate and --key for TLS, or --plain on a network that is trusted"
    )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _tls(settings: AgentSettings) -> ssl.SSLContext | None:
    if settings.certificate is None:
        if settings.key is not None:
            raise UserError("agent: --key has no effect without --certificate")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"agent: cannot use the certificate {settings.certificate} ({one_line(error)})") from None
    return context


def _token(path: Path) -> str:
    """The token of a file, which is made, readable by its owner alone, where it is missing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_io.write_text(path, secrets.token_urlsafe(32) + "\n")
        path.chmod(0o600)
        say(f"agent: a new token is in {path}")
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"agent: cannot read the token of {path} ({one_line(error)})") from None
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable():
        raise UserError(f"agent: the token of {path} needs {SHORTEST} or more printable ASCII characters on one line")
    return token


def _bound(
    settings: AgentSettings, token: str, store: FileStore, queue: JobQueue, context: ssl.SSLContext | None
) -> AgentServer:
    family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
    try:
        return AgentServer(
            (settings.address, settings.port), family, token, store, queue, context, settings.job_limit_s
        )
    except (OSError, OverflowError) as error:
        text = getattr(error, "strerror", None) or one_line(error)
        raise UserError(f"agent: cannot bind to {settings.address} port {settings.port}: {text}") from None


def agent_folder() -> Path:
    """Where an agent keeps its files unless it is told otherwise.

    Raises:
        MachineError: there is no such folder to be had.
    """
    from leansort.core.folders.user_cache import cache_folder

    try:
        return cache_folder("agent")
    except OSError as error:
        raise MachineError(f"agent: no folder to work in ({error}); name one by --folder") from None
