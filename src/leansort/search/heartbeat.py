"""Which worker has a trial, and whether it is still there."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

BEAT_S = 10.0
PATIENCE_S = 60.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def identity() -> dict[str, Any]:
    """This process, so that another on the same machine can see whether it still runs."""
    return {"id": uuid.uuid4().hex, "boot": _boot(), "pid": os.getpid(), "started": _started(os.getpid())}


def is_here(worker: dict[str, Any]) -> bool:
    """Whether a worker is, or was, of this machine, where nobody has to guess from its silence."""
    return bool(worker.get("boot")) and worker["boot"] == _boot()


def surely_gone(worker: dict[str, Any]) -> bool:
    """Whether a worker was of this machine, and runs no more."""
    if not is_here(worker):
        return False
    return str(worker["started"]) != _started(int(worker["pid"]))


class SilenceTracker:
    """How long trials have not been heard of, by this process's own clock: clocks of machines differ."""

    def __init__(self, patience: float = PATIENCE_S) -> None:
        self._patience = patience
        self._heard: dict[int, tuple[Any, float]] = {}

    def is_long(self, trial: int, beat: Any) -> bool:
        """Whether a trial's beat has stayed the same for longer than the patience."""
        now = time.monotonic()
        last, since = self._heard.get(trial, (None, now))
        if beat != last or trial not in self._heard:
            self._heard[trial] = (beat, now)
            return False
        return now - since > self._patience


class Heartbeat:
    """Says every few seconds that a trial is being worked on.

    Attributes:
        say: called with a number that rises.
    """

    def __init__(self, say: Callable[[int], None], every: float = BEAT_S) -> None:
        self.say, self._every = say, every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Heartbeat:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End."""
        self._stopped.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        beat = 1
        while not self._stopped.wait(self._every):
            try:
                self.say(beat)
            except Exception:  # the storage is away, or another has taken the trial: the main thread will find out
                continue
            beat += 1


def _boot() -> str:
    """Of this start of the machine, and of this container on it; empty where the system does not tell."""
    try:
        space = Path("/proc/self/ns/pid").readlink()
        return f"{_BOOT.read_text().strip()}:{space}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process was started, in the machine's ticks; empty where it is not there, or dead and not yet buried."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
