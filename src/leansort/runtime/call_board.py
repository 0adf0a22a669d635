"""What a child process is doing, in memory that its parent sees too; to note a call costs about a microsecond."""

from __future__ import annotations

import mmap
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from leansort.core.errors import LeansortError
from leansort.runtime.engine import Distances, LoadedGraph, Logits, Pixels
from leansort.runtime.engine_trial_child import describe_exception

# Since when, images of the call, calls done, lines done, of how many bytes, name.
_BOARD = struct.Struct("<dqqqq200s")


class EngineRaisedError(Exception):
    """An exception of an engine's library, in words."""


class CallBoard:
    """What the child is doing, for its parent to read.

    Attributes:
        since: when the oldest call that still runs began, by the monotonic clock; 0 where none runs.
        batch: images of the last call; 0 while the engine loads.
        calls: that came back.
        lines: that were written.
        engine: its name.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _BOARD.size)
        self._lock = threading.Lock()
        self._running: dict[int, float] = {}
        self.since, self.batch, self.calls, self.lines, self.engine = 0.0, 0, 0, 0, ""

    @contextmanager
    def record_call(self, batch: int) -> Iterator[None]:
        """Note a call of the engine, from its begin to its end; what its library raises ends the work."""
        mine = threading.get_ident()
        with self._lock:
            self._running[mine], self.batch = time.monotonic(), batch
            self._write()
        try:
            yield
        except (LeansortError, ModuleNotFoundError):  # told as everywhere
            raise
        except Exception as error:
            raise EngineRaisedError(describe_exception(error)) from error
        finally:
            with self._lock:
                del self._running[mine]
                self.calls += 1
                self._write()

    def record_line(self) -> None:
        """Note a line."""
        with self._lock:
            self.lines += 1
            self._write()

    def set_engine(self, engine: str) -> None:
        """Note which engine it is."""
        self.engine = engine

    def _write(self) -> None:
        self.since = min(self._running.values(), default=0.0)
        name = self.engine.encode()[:200]
        _BOARD.pack_into(self._memory, 0, self.since, self.batch, self.calls, self.lines, len(name), name)

    def read(self) -> None:
        """See what the other process has noted."""
        self.since, self.batch, self.calls, self.lines, length, name = _BOARD.unpack_from(self._memory)
        self.engine = name[:length].decode(errors="replace")


class WatchedEngine:
    """An engine whose calls stand on a board."""

    def __init__(self, engine: LoadedGraph, board: CallBoard) -> None:
        self._engine, self._board = engine, board

    def run(self, x_bhwc: Pixels) -> Logits:
        """Map pixels to logits."""
        with self._board.record_call(len(x_bhwc)):
            return self._engine.run(x_bhwc)

    def run_with_distance(self, x_bhwc: Pixels) -> tuple[Logits, Distances | None]:
        """Map pixels to logits and distances."""
        with self._board.record_call(len(x_bhwc)):
            return self._engine.run_with_distance(x_bhwc)
