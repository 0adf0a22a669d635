"""One connection to an agent, by HTTP, by TLS or through an ssh tunnel; it is made anew after whatever went wrong."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass

from leansort.core.errors import UserError, one_line
from leansort.core.files import json_documents
from leansort.measure.device.device_address import DeviceAddress, client_context, parse_address, read_token

LIMIT_S = 60.0  # without a byte; longer than an agent holds a question back
MOST_BYTES = json_documents.MOST_BYTES
_TUNNEL_S = 20.0


class DeviceGone(Exception):
    """The agent does not answer now; it may later."""


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        status: of HTTP.
        data: its body.
    """

    status: int
    data: bytes

    def tree(self) -> object:
        """Return the body's JSON.

        Raises:
            UserError: it is none, or beyond all limits.
        """
        try:
            tree: object = json.loads(self.data)
        except (ValueError, RecursionError):
            raise UserError("device: the answer is no JSON; is this the address of leansort agent?") from None
        json_documents.require_sane(tree, "device: answer")
        return tree

    def error(self) -> str:
        """Return what the agent says is wrong."""
        try:
            tree = self.tree()
        except UserError:
            return f"HTTP status {self.status}; is this the address of leansort agent?"
        text = tree.get("error") if isinstance(tree, dict) else None
        return text if isinstance(text, str) and text else f"HTTP status {self.status}"


class DeviceConnection:
    """A connection that is opened when it is needed.

    Args:
        address: of the agent.

    Raises:
        UserError: the address, the token or the file of certificates cannot be used.
    """

    def __init__(self, address: str) -> None:
        self.address = parse_address(address)
        self._token = read_token()
        self._context = client_context() if self.address.way == "https" else None
        self._open: http.client.HTTPConnection | None = None
        self._tunnel: Tunnel | None = None

    def ask(self, method: str, path: str, body: bytes = b"") -> Reply:
        """Send a request and read its answer.

        Raises:
            DeviceGone: there is no answer now.
            UserError: the certificate is not trusted, or the answer is too large.
        """
        try:
            link = self._open = self._open or self._connect()
            headers = {"Authorization": f"Bearer {self._token}"}
            link.request(method, path, body or None, headers)
            response = link.getresponse()
            data = response.read(MOST_BYTES + 1)
        except ssl.SSLCertVerificationError as error:
            raise UserError(
                f"device: {self.address.text}: the certificate is not trusted ({one_line(error)})"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise DeviceGone(one_line(error) or type(error).__name__) from None
        if len(data) > MOST_BYTES:
            raise UserError(f"device: {self.address.text}: the answer has more than {MOST_BYTES >> 20} MB")
        if response.status == 503:
            raise DeviceGone("it has too many connections")
        return Reply(response.status, data)

    def close(self) -> None:
        """Close what is open."""
        if self._open:
            self._open.close()
        if self._tunnel:
            self._tunnel.close()
        self._open = self._tunnel = None

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self.address.host, self.address.port
        if self.address.way == "ssh":
            self._tunnel = Tunnel(self.address)
            host, port = "127.0.0.1", self._tunnel.port
        if self._context:
            return http.client.HTTPSConnection(host, port, timeout=LIMIT_S, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=LIMIT_S)


class Tunnel:
    """`ssh -L` from a free port here to the agent's on the other machine's loopback address.

    Args:
        address: of an ssh device.

    Raises:
        DeviceGone: ssh ended, or opened no tunnel in time; its last words are in the message.
        UserError: there is no ssh.
    """

    def __init__(self, address: DeviceAddress) -> None:
        self.port = _free_port()
        forward = f"127.0.0.1:{self.port}:127.0.0.1:{address.port}"
        command = ["ssh", "-N", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes", "-L", forward, address.host]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
        except FileNotFoundError:
            raise UserError(f"device: {address.text}: there is no ssh on this machine") from None
        self._wait()

    def close(self) -> None:
        """End ssh."""
        self._process.kill()
        self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()

    def _wait(self) -> None:
        until = time.monotonic() + _TUNNEL_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                words = (self._process.stderr.read() if self._process.stderr else "").strip().splitlines()
                self.close()
                raise DeviceGone(f"ssh: {one_line(words[-1]) if words else 'it ended'}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.close()
        raise DeviceGone("ssh: no tunnel in time")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
