"""Connections of urllib3 whose wire another thread may cut: what ends an attempt that drips on for ever."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection


class AttemptConnection:
    """The wire of one attempt, which another thread may cut."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.cut_because = ""

    def cut(self, why: str) -> None:
        """End the attempt; its reader gets an error and finds the reason here."""
        self.cut_because = why
        if self.socket is not None:
            with suppress(OSError):  # closed already
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)  # TLS's own shutdown would pull its state away


here = threading.local()  # .line: the line of this thread's attempt


class _Http(HTTPConnection):
    """Tells the attempt its socket before it waits for the server's first byte."""

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # urllib3's is no http.client response
        line: AttemptConnection = here.line
        line.socket = self.sock
        if line.cut_because:  # cut while connecting, when there was no socket yet
            raise ConnectionAbortedError(line.cut_because)
        return super().getresponse()


class _Https(_Http, HTTPSConnection):
    pass


class HttpPool(urllib3.HTTPConnectionPool):
    """Plain connections that can be cut."""

    ConnectionCls = _Http


class HttpsPool(urllib3.HTTPSConnectionPool):
    """Encrypted connections that can be cut."""

    ConnectionCls = _Https
