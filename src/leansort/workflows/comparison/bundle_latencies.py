"""Two bundles timed in turns, call by call, while nothing else of leansort runs on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from leansort.core.writing import atomic_io
from leansort.measure.accuracy.metrics import Interval
from leansort.measure.comparison.comparison_result import LatencyComparison
from leansort.measure.timing import latency, machine
from leansort.measure.timing.timing_lock import exclusive_timing
from leansort.report import speeds
from leansort.runtime.predictor import Classifier
from leansort.workflows.deploy import bench

MOST_PICTURES = 64  # held in memory, so that the disk is not timed; evenly drawn, so of all classes
WHAT = (bench.WHOLE, bench.ALONE)


@dataclass(frozen=True)
class BundleLatencies:
    """Latencies of two bundles.

    Attributes:
        latencies: from encoded bytes to label first, then of the network alone.
        machine: that they were measured on, in one line.
        warning: where other work kept it busy meanwhile, else empty.
    """

    latencies: tuple[LatencyComparison, ...]
    machine: str = ""
    warning: str = ""


NOT_TIMED = BundleLatencies(())


def time_bundles(
    a: Classifier, b: Classifier, pictures: Sequence[Path], *, threads: tuple[int, int], seconds: float, queries: int
) -> BundleLatencies:
    """Time two bundles in turns.

    Args:
        a: the first.
        b: the second.
        pictures: that both can read.
        threads: compute threads of each one's engine.
        seconds: least time for each latency.
        queries: fewest calls for each latency.
    """
    count = min(MOST_PICTURES, len(pictures))
    data = [atomic_io.read_file(pictures[at * len(pictures) // count]) for at in range(count)]
    sides = {"A": a, "B": b}
    calls = {f"{side}: {what}": call for side, item in sides.items() for what, call in _calls(item, data).items()}
    with exclusive_timing():
        watch = machine.LoadWatch()
        times = latency.time_interleaved(calls, seconds=seconds, least=queries)
        warning, state = watch.warning(), machine.machine_state()
    measured = {
        f"{side}: {what}": latency.summarize_latency(
            f"{side}: {what}",
            times[f"{side}: {what}"],
            distribution=True,
            threads=used,
            bundle=item.bundle.digest,
            engine=item.engine_name,
        )
        for (side, item), used in zip(sides.items(), threads, strict=True)
        for what in WHAT
    }
    compared = [
        LatencyComparison(
            what,
            measured[f"A: {what}"],
            measured[f"B: {what}"],
            Interval(*latency.speed_ratio(times[f"A: {what}"], times[f"B: {what}"])),
        )
        for what in WHAT
    ]
    return BundleLatencies(tuple(compared), speeds.state(state), warning)


def _calls(classifier: Classifier, data: Sequence[bytes]) -> dict[str, Callable[[], object]]:
    return {
        bench.WHOLE: latency.label_call(classifier, data),
        bench.ALONE: latency.photo_call(classifier, data),
    }
