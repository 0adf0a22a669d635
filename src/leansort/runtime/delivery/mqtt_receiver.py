"""An MQTT broker, by paho-mqtt: each message with quality of service 1, so that the broker says that it has it.

paho keeps messages that were not answered and sends them when it connects again; so does the queue here, and one of the
two has to do it. So each connection is a client of its own, which is thrown away with what it holds.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from typing import TYPE_CHECKING

from leansort.core.errors import MissingExtraError, one_line
from leansort.runtime.delivery.receiver import Undelivered
from leansort.runtime.delivery.receiver_address import ReceiverAddress

if TYPE_CHECKING:
    from paho.mqtt.client import Client

LIMIT_S = 5.0  # for a connection, and for an answer
_KEEP_ALIVE_S = 60


class MqttReceiver:
    """Publishes to a topic; see `Receiver`.

    Args:
        address: of it.
        seconds: for a connection and for an answer, each.

    Raises:
        MissingExtraError: paho-mqtt is not installed.
    """

    def __init__(self, address: ReceiverAddress, *, seconds: float = LIMIT_S) -> None:
        try:
            import paho.mqtt.client  # noqa: F401
        except ModuleNotFoundError:
            raise MissingExtraError("paho", "mqtt") from None
        self.name = address.shown
        self._address, self._seconds = address, seconds
        self._context = ssl.create_default_context() if address.secure else None
        self._client: Client | None = None

    def send(self, message: bytes) -> None:
        """Publish a message, and wait for the broker's answer."""
        try:
            if self._client is None or not self._client.is_connected():
                self.close()
                self._client = self._connect()
            sent = self._client.publish(self._address.path, message, qos=1)
            sent.wait_for_publish(self._seconds)
            if not sent.is_published():
                raise Undelivered(f"no answer within {self._seconds:g} s")
        except (OSError, ValueError, RuntimeError) as error:
            self.close()
            raise Undelivered(one_line(error) or type(error).__name__) from None
        except Undelivered:
            self.close()
            raise

    def close(self) -> None:
        """Give up the connection, and what it holds."""
        client, self._client = self._client, None
        if client is not None:
            _end(client)

    def _connect(self) -> Client:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        client.connect_timeout = self._seconds
        if self._address.user:
            client.username_pw_set(self._address.user, self._address.password or None)
        if self._context:
            client.tls_set_context(self._context)
        answered, why = threading.Event(), list[str]()

        def on_connect(*given: object) -> None:
            reason = given[3]
            why.append(str(reason) if getattr(reason, "is_failure", False) else "")
            answered.set()

        client.on_connect = on_connect
        client.connect(self._address.host, self._address.port, _KEEP_ALIVE_S)
        client.loop_start()
        in_time = answered.wait(self._seconds)
        if in_time and not why[0]:
            return client
        _end(client)
        raise Undelivered(f"the broker refuses the connection ({why[0]})" if in_time else "the broker does not answer")


def _end(client: Client) -> None:
    with contextlib.suppress(OSError, ValueError):
        client.disconnect()
    client.loop_stop()
