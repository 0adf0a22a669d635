"""The decisions of `leansort sort`, sent to an MQTT broker, a webhook, or both."""

from __future__ import annotations

from typing import Self

from leansort.core.process.console import say
from leansort.runtime.delivery.delivery_queue import DeliveryQueue
from leansort.runtime.delivery.mqtt_receiver import MqttReceiver
from leansort.runtime.delivery.receiver import Receiver
from leansort.runtime.delivery.receiver_address import mqtt_address, webhook_address
from leansort.runtime.delivery.webhook_receiver import WebhookReceiver
from leansort.runtime.sorting.sort_decision import SortDecision


class DecisionDelivery:
    """Sends each decision to every receiver that is named, and never waits for one before the end.

    Args:
        mqtt: address of a broker and topic; empty for none.
        webhook: address of a webhook; empty for none.

    Attributes:
        reports: of each receiver that did not get everything, what it did not get, and why; after `close`.

    Raises:
        UserError: an address cannot be used.
        MissingExtraError: paho-mqtt is not installed.
    """

    def __init__(self, mqtt: str, webhook: str) -> None:
        self.reports: tuple[str, ...] = ()
        receivers = list[Receiver]()
        if webhook:
            receivers.append(WebhookReceiver(webhook_address(webhook)))
        if mqtt:
            receivers.append(MqttReceiver(mqtt_address(mqtt)))
        self._queues = [DeliveryQueue(receiver) for receiver in receivers]

    def __enter__(self) -> Self:
        """Return it as it is; its threads wait already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def add(self, decision: SortDecision) -> None:
        """Have a decision sent."""
        if self._queues:
            data = decision.line().encode()
            for queue in self._queues:
                queue.put(decision.object, data)

    def close(self) -> None:
        """Deliver what waits, for a few seconds each, and say what was not delivered. A second call does nothing."""
        if self.reports or not self._queues:
            return
        try:
            for queue in self._queues:
                queue.close()
        finally:
            self.reports = tuple(text for queue in self._queues if (text := queue.report()))
            for text in self.reports:
                say(f"sort: {text}")

    @property
    def delivered(self) -> int:
        """Number of messages that a receiver has said it has, of all receivers together."""
        return sum(queue.delivered for queue in self._queues)

    @property
    def undelivered(self) -> int:
        """Number of messages that were lost, of all receivers together."""
        return sum(queue.lost for queue in self._queues)
