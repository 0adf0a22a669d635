"""Ctrl-C in processes that tests start."""

from __future__ import annotations

import signal


def hear_interrupts() -> None:
    """Let a new process end by Ctrl-C: below a shell's background job it would be told to ignore that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
