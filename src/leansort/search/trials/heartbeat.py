"""Which worker has a trial, and whether it still runs."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

BEAT_S = 10.0
PATIENCE_S = 60.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class WorkerIdentity:
    """A process that works on a study, so that another on the same machine can see whether it still runs.

    Attributes:
        id: drawn when the worker began; no two are alike.
        boot: names this start of the machine, and the container on it; empty where the system does not tell.
        pid: of the process.
        started: when the process was started, in the machine's ticks.
    """

    id: str
    boot: str
    pid: int
    started: str


@dataclass(frozen=True)
class Beat:
    """The last sign of life of a trial: equal signs mean that nothing was heard in between.

    Attributes:
        worker: the id of the worker that has the trial; empty where none is known.
        count: a number that rises with every sign.
    """

    worker: str
    count: int


def identity() -> WorkerIdentity:
    """The identity of this process."""
    return WorkerIdentity(id=uuid.uuid4().hex, boot=_boot(), pid=os.getpid(), started=_started(os.getpid()))


def is_here(worker: WorkerIdentity) -> bool:
    """Whether a worker is, or was, of this machine, where nobody has to guess from its silence."""
    return bool(worker.boot) and worker.boot == _boot()


def surely_gone(worker: WorkerIdentity) -> bool:
    """Whether a worker was of this machine, and runs no more."""
    return is_here(worker) and worker.started != _started(worker.pid)


class SilenceTracker:
    """How long trials have not been heard of, by this process's own clock: clocks of machines differ."""

    def __init__(self, patience: float = PATIENCE_S) -> None:
        self._patience = patience
        self._heard: dict[int, tuple[Beat, float]] = {}

    def is_long(self, trial: int, beat: Beat) -> bool:
        """Whether a trial's beat has stayed the same for longer than the patience."""
        now = time.monotonic()
        if trial not in self._heard or self._heard[trial][0] != beat:
            self._heard[trial] = (beat, now)
        return now - self._heard[trial][1] > self._patience


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
    """When a process was started, in the machine's ticks; empty where it is not there, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
