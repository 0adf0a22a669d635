"""A soak: the same call for minutes, to see whether the machine throttles as it warms up."""

from __future__ import annotations

import time

import numpy as np

from leansort.core.files.typed_result import TypedResult
from leansort.measure.timing.energy import EnergyMeter
from leansort.measure.timing.latency import Call
from leansort.measure.timing.machine import machine_state

BLOCK_S = 10.0
SLOWER = 1.1  # times the first block's median: throttled


class SoakBlock(TypedResult):
    """Some seconds of a soak.

    Attributes:
        at_s: seconds from the start of the soak to the block's end.
        calls: in the block.
        p50: median of the calls in ms.
        p99: of the calls in ms.
        mhz: clock rate at its end; None where the machine does not tell.
        celsius: of the hottest sensor at its end; None where the machine does not tell.
        millijoules: a call; None where the machine does not tell.
    """

    at_s: float
    calls: int
    p50: float
    p99: float
    mhz: float | None = None
    celsius: float | None = None
    millijoules: float | None = None


class SoakResult(TypedResult):
    """A whole soak.

    Attributes:
        blocks: in order.
        energy_source: what told the energy: `rapl` (whole processor), `hwmon` (a sensor), or empty.
    """

    blocks: tuple[SoakBlock, ...]
    energy_source: str = ""

    @property
    def slowdown(self) -> float:
        """Largest median of a block over the first block's."""
        return max(block.p50 for block in self.blocks) / self.blocks[0].p50

    @property
    def has_throttled(self) -> bool:
        """Whether the last quarter of the blocks is slower than the first block by a tenth or more."""
        last = self.blocks[-max(1, len(self.blocks) // 4) :]
        return float(np.median([block.p50 for block in last])) >= SLOWER * self.blocks[0].p50

    def text(self) -> str:
        """Return what it came to, in a sentence."""
        first, last = self.blocks[0], self.blocks[-1]
        heat = "" if last.celsius is None else f", {last.celsius:.0f} °C"
        verdict = "THROTTLED" if self.has_throttled else "not throttled"
        energy = "" if last.millijoules is None else f", {last.millijoules:.2f} mJ a call ({self.energy_source})"
        return (
            f"{last.at_s:.0f} s: median {first.p50:.3f} ms at the start, {last.p50:.3f} at the end, at worst "
            f"{self.slowdown:.2f} times the start{heat}{energy}; {verdict}"
        )


def soak(call: Call, seconds: float, block_s: float = BLOCK_S) -> SoakResult:
    """Call again and again.

    Args:
        call: what to soak.
        seconds: how long; at least two blocks are made.
        block_s: seconds of a block.
    """
    started, meter = time.perf_counter(), EnergyMeter()
    block_s = min(block_s, seconds / 2)
    blocks: list[SoakBlock] = []
    while time.perf_counter() - started < seconds or len(blocks) < 2:
        blocks.append(_block(call, block_s, started, meter))
    return SoakResult(blocks=tuple(blocks), energy_source=meter.source)


def _block(call: Call, block_s: float, started: float, meter: EnergyMeter) -> SoakBlock:
    before, until, times = meter.read(), time.perf_counter() + block_s, list[float]()
    while (now := time.perf_counter()) < until:
        call()
        times.append(time.perf_counter() - now)
    after, state = meter.read(), machine_state()
    energy = None if before is None or after is None else 1e3 * (after - before) / len(times)
    p50, p99 = (1e3 * float(value) for value in np.quantile(times, [0.5, 0.99]))
    return SoakBlock(
        at_s=time.perf_counter() - started, calls=len(times), p50=p50, p99=p99,
        mhz=state.get("mhz"), celsius=state.get("celsius"), millijoules=energy,
    )  # fmt: skip
