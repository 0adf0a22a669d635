"""A webhook: each message is a POST of its own, over a connection that is kept. By the standard library."""

from __future__ import annotations

import http.client
import ssl
from base64 import b64encode

from leansort.core.errors import one_line
from leansort.runtime.delivery.receiver import Refused, Undelivered
from leansort.runtime.delivery.receiver_address import ReceiverAddress

LIMIT_S = 5.0  # without a byte
_AGAIN = (408, 425, 429)  # and all from 500: it may go well another time
_MOST_ANSWER = 1 << 16  # bytes of an answer that are read; nobody looks at them


class WebhookReceiver:
    """Posts JSON; see `Receiver`. An answer of 2xx is taken for delivered; redirections are not followed.

    Args:
        address: of it.
        seconds: without a byte after which a message counts as not delivered.
    """

    def __init__(self, address: ReceiverAddress, *, seconds: float = LIMIT_S) -> None:
        self.name = address.shown
        self._address, self._seconds = address, seconds
        self._context = ssl.create_default_context() if address.secure else None
        self._headers = {"Content-Type": "application/json", "User-Agent": "leansort", **_authorization(address)}
        self._open: http.client.HTTPConnection | None = None

    def send(self, message: bytes) -> None:
        """Post a message; once more over a new connection where the server has closed the one that was kept."""
        kept = self._open is not None
        try:
            status = self._post(message)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            if not kept:
                raise Undelivered(_reason(error)) from None
            status = self._post_anew(message)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Undelivered(_reason(error)) from None
        if 200 <= status < 300:
            return
        raise (Undelivered if status in _AGAIN or status >= 500 else Refused)(f"HTTP status {status}")

    def close(self) -> None:
        """Give up the connection."""
        if self._open is not None:
            self._open.close()
        self._open = None

    def _post_anew(self, message: bytes) -> int:
        try:
            return self._post(message)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Undelivered(_reason(error)) from None

    def _post(self, message: bytes) -> int:
        try:
            link = self._open = self._open or self._connect()
            link.request("POST", self._address.path, message, self._headers)
            response = link.getresponse()
            response.read(_MOST_ANSWER)
        except BaseException:
            self.close()
            raise
        if not response.isclosed():  # an answer without an end
            self.close()
        return response.status

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        if self._context:
            return http.client.HTTPSConnection(host, port, timeout=self._seconds, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=self._seconds)


def _reason(error: Exception) -> str:
    return one_line(error) or type(error).__name__


def _authorization(address: ReceiverAddress) -> dict[str, str]:
    if address.token:
        return {"Authorization": f"Bearer {address.token}"}
    if address.user or address.password:
        return {"Authorization": f"Basic {b64encode(f'{address.user}:{address.password}'.encode()).decode()}"}
    return {}
