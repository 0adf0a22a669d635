"""Ctrl-C during training: the step is finished and saved first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Set once the user, or the machine, wants the run to end."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def catch_stop_signals() -> Iterator[StopRequest]:
    """Take Ctrl-C and SIGTERM as a wish to stop after the current step; a second one stops at once."""
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(number: int, frame: FrameType | None) -> None:
        stop.signal = number
        for entry, handler in before.items():
            signal.signal(entry, handler)

    before = {entry: signal.getsignal(entry) for entry in (signal.SIGINT, signal.SIGTERM)}
    for item in before:
        signal.signal(item, note)
    try:
        yield stop
    finally:
        for item, handler in before.items():
            signal.signal(item, handler)
