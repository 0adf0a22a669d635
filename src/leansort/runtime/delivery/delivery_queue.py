"""A bounded queue before a receiver: who puts a message in never waits, and what is not delivered is counted and named.

A thread of its own sends, in order and one at a time. While the receiver is away it tries again after 0.5 s, 1 s, 2 s
and so on, and messages wait; when more wait than the queue holds, the oldest ones go. A message whose answer was lost
is sent again, so a receiver may get one twice.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from dataclasses import dataclass

from leansort.core.process.console import say
from leansort.runtime.delivery.receiver import Receiver, Refused, Undelivered

MOST_WAITING = 1_000
CLOSE_S = 5.0
_CLOSING_PAUSE_S = 0.2  # seconds between attempts while it is being closed
_NAMED = 5  # outages, and objects that were not delivered, that are named one by one


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be delivered, and the number of the object that it is of."""

    number: int
    data: bytes


class DeliveryQueue:
    """Delivers messages to one receiver. `put` and `close` are for one thread.

    Args:
        receiver: takes them; closed with the queue.
        most: number of messages that wait, at most.
        first_wait: seconds before the second attempt; doubled for each further one.
        longest_wait: seconds between two attempts, at most.

    Attributes:
        delivered: number of messages that the receiver has said it has.
        lost: number of messages that are not delivered, and will not be.
    """

    def __init__(
        self, receiver: Receiver, *, most: int = MOST_WAITING, first_wait: float = 0.5, longest_wait: float = 30.0
    ) -> None:
        self.delivered = self.lost = 0
        self._receiver, self._most, self._first, self._longest = receiver, most, first_wait, longest_wait
        self._waiting, self._sending = deque[Message](), list[Message]()
        self._changed, self._until = threading.Condition(), float("inf")
        self._lost_names, self._why, self._outages, self._given_up = list[int](), "", 0, False
        told_here = contextvars.copy_context()  # whoever has silenced messages has silenced those of the thread, too
        self._thread = threading.Thread(
            target=told_here.run, args=(self._deliver,), name="leansort-delivery", daemon=True
        )
        self._thread.start()

    def put(self, number: int, data: bytes) -> None:
        """Add a message, at once; where the queue is full the oldest one goes."""
        with self._changed:
            if len(self._waiting) >= self._most:
                self._lose(self._waiting.popleft(), self._why or "the receiver is too slow")
            self._waiting.append(Message(number, data))
            self._changed.notify_all()

    def close(self, seconds: float = CLOSE_S) -> None:
        """Deliver what waits, for so many seconds; what is left is lost. A second call does nothing."""
        with self._changed:
            if self._closing:
                return
            self._until = time.monotonic() + seconds
            self._changed.notify_all()
        try:
            self._thread.join(seconds)
        finally:  # of a receiver that hangs, or of an impatient Ctrl-C: the thread is left behind
            with self._changed:
                self._given_up = True
                for message in (*self._sending, *self._waiting):
                    self._lose(message, self._why or "it took too long")
                self._waiting.clear()

    def report(self) -> str:
        """Return which messages were lost, and why; empty where none was."""
        if not self.lost:
            return ""
        more = self.lost - len(self._lost_names)
        names = ", ".join(map(str, self._lost_names)) + (f" and {more:,} more" if more else "")
        every = self.lost + self.delivered
        return (
            f"{self._receiver.name}: {self.lost:,} of {every:,} decisions not delivered (objects {names}): {self._why}"
        )

    def _deliver(self) -> None:
        try:
            while self._take() and self._send():
                pass
        finally:
            self._receiver.close()

    def _take(self) -> bool:
        """Take the next message; False when there is none, and none will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._sending = [self._waiting.popleft()] if self._waiting else []
            return bool(self._sending)

    def _send(self) -> bool:
        """Send the message that was taken until the receiver has it or will not have it; False when time is up."""
        pause, attempts = self._first, 0
        while not self._attempt(attempts):
            if not self._pause(pause):
                return False
            pause, attempts = min(2 * pause, self._longest), attempts + 1
        return True

    def _pause(self, seconds: float) -> bool:
        """Wait before the next attempt, shortly where the queue is being closed; False when time is up."""
        with self._changed:
            if self._closing:
                self._changed.wait(min(seconds, _CLOSING_PAUSE_S))
            else:
                self._changed.wait_for(lambda: self._closing, seconds)
            return time.monotonic() < self._until

    @property
    def _closing(self) -> bool:
        return self._until != float("inf")

    def _attempt(self, before: int) -> bool:
        """Send once; whether that is the end of it."""
        [message] = self._sending
        try:
            self._receiver.send(message.data)
        except Refused as error:
            self._settle(message, str(error), again=False)
            return True
        except Exception as error:  # whatever a library raises, the thread goes on
            self._settle(message, str(error) if isinstance(error, Undelivered) else type(error).__name__, again=True)
            if not before:
                self._tell(f"{self._why}; decisions wait, {self._most:,} at most")
            return False
        self._settle(message, "", again=False)
        if before:
            self._tell(f"takes decisions again, after {before:,} failed attempts", begins=False)
        return True

    def _settle(self, message: Message, why: str, *, again: bool) -> None:
        with self._changed:
            self._why = why or self._why
            if again or self._given_up:
                return
            self._sending = []
            if why:
                self._lose(message, why)
            else:
                self.delivered += 1

    def _lose(self, message: Message, why: str) -> None:
        self.lost, self._why = self.lost + 1, why
        if len(self._lost_names) < _NAMED:
            self._lost_names.append(message.number)

    def _tell(self, what: str, *, begins: bool = True) -> None:
        self._outages += begins
        if self._outages <= _NAMED:
            say(f"sort: {self._receiver.name}: {what}")
