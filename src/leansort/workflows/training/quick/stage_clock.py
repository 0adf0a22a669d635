"""What the stages of a probe take, by the clock and of the processor."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from leansort.workflows.training.quick.probe_result import StageTime


class StageClock:
    """Adds up the time of stages, which may be entered several times."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, float]] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Count what is done in this context for a stage."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            before = self._spent.get(stage, (0.0, 0.0))
            self._spent[stage] = (before[0] + time.perf_counter() - wall, before[1] + time.process_time() - cpu)

    def stages(self) -> tuple[StageTime, ...]:
        """Return the stages in the order they were first entered."""
        return tuple(StageTime(stage, round(wall, 3), round(cpu, 3)) for stage, (wall, cpu) in self._spent.items())
