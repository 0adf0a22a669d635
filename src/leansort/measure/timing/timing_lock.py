"""Measuring alone: of all processes of a machine that keep to this, one measures, and the others pause meanwhile.

Those that work hold a lock together and let go of it every moment; who measures takes a gate first, which keeps them
from taking it again, and then the lock for itself. Both are the kernel's, so they end with their process, and letting
go costs microseconds. The library filelock has no shared lock of the kernel's: its lock for readers and writers is a
database, which is opened anew at each step.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leansort.core.errors import MachineError


def lock_folder() -> Path:
    """Where a user's locks lie on this machine; not on a disk that machines share."""
    return Path(tempfile.gettempdir()) / f"leansort-{os.getuid() if hasattr(os, 'getuid') else 0}"


@contextmanager
def exclusive_timing() -> Iterator[None]:
    """Measure: waits until no other process measures and those that work have paused.

    Raises:
        MachineError: the locks cannot be made.
    """
    with _opened("gate") as gate, _opened("work") as work:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(work, fcntl.LOCK_EX)
        yield


class InterruptibleWork:
    """A process at work that others' measurements are not to be disturbed by.

        with Working() as working:
            for step in steps:
                working.give_way()

    Raises:
        MachineError: the locks cannot be made.
    """

    def __enter__(self) -> InterruptibleWork:
        """Begin, once nobody measures."""
        self._opened = [_opened("gate"), _opened("work")]
        self._gate, self._work = (item.__enter__() for item in self._opened)
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        for item in self._opened:
            item.__exit__(None, None, None)

    def give_way(self) -> None:
        """Pause while somebody measures."""
        fcntl.flock(self._work, fcntl.LOCK_UN)
        self._take()

    def _take(self) -> None:
        fcntl.flock(self._gate, fcntl.LOCK_SH)  # waits while somebody measures
        fcntl.flock(self._work, fcntl.LOCK_SH)
        fcntl.flock(self._gate, fcntl.LOCK_UN)


@contextmanager
def _opened(name: str) -> Iterator[int]:
    path = lock_folder() / f"{name}.lock"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise MachineError(f"cannot write {path}: {error.strerror or error}") from None
    try:
        yield handle
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)  # by name: a process that was forked meanwhile has the handle, too
        os.close(handle)
