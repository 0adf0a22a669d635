"""What takes messages, and how it says that it did not."""

from __future__ import annotations

from typing import Protocol


class Undelivered(Exception):
    """The receiver did not take a message now; it may later."""


class Refused(Exception):
    """The receiver will not take this message, however often it is sent."""


class Receiver(Protocol):
    """Takes messages one at a time, from one thread. Owns its connection, which it makes when it is needed.

    Attributes:
        name: address without anything secret, for people.
    """

    name: str

    def send(self, message: bytes) -> None:
        """Send a message, and return when the receiver has said that it has it.

        Raises:
            Undelivered: it has not; the connection is given up, and the next call makes another one.
            Refused: it will not.
        """
        ...

    def close(self) -> None:
        """Give up the connection."""
        ...
