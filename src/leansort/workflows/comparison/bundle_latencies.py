"""Bundles timed in turns, call by call, while nothing else of leansort runs on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leansort.core.process.console import say
from leansort.core.writing import atomic_io
from leansort.measure.accuracy.metrics import Interval
from leansort.measure.measurement import Measurement
from leansort.measure.timing import latency, machine
from leansort.measure.timing.latency import Seconds
from leansort.measure.timing.timing_lock import exclusive_timing
from leansort.report import speeds
from leansort.runtime.predictor import Classifier
from leansort.workflows.comparison.compared_crops import ComparedCrops
from leansort.workflows.deploy import bench

MOST_PICTURES = 64  # held in memory, so that the disk is not timed; evenly drawn, so of all classes
WHAT = (bench.WHOLE, bench.ALONE)


@dataclass(frozen=True)
class BundleLatencies:
    """Latencies of several bundles, from encoded bytes to label first, then of the network alone.

    Attributes:
        latencies: by side, in the order of `WHAT`; empty of a side that was not timed.
        times: seconds of each call, in the same order.
        machine: that they were measured on, in one line.
        warning: where other work kept it busy meanwhile, else empty.
    """

    latencies: Mapping[str, tuple[Measurement, ...]] = field(default_factory=dict)
    times: Mapping[str, tuple[Seconds, ...]] = field(default_factory=dict)
    machine: str = ""
    warning: str = ""

    def of(self, side: str) -> tuple[Measurement, ...]:
        """The latencies of a side; empty where it was not timed."""
        return self.latencies.get(side, ())

    def ratios(self, first: str, second: str) -> tuple[Interval, ...]:
        """Mean time of the first side over that of the second; empty where one of the two was not timed."""
        both = zip(self.times.get(first, ()), self.times.get(second, ()), strict=False)
        return tuple(Interval(*latency.speed_ratio(slow, fast)) for slow, fast in both)


def time_bundles(crops: ComparedCrops, *, seconds: float, queries: int) -> BundleLatencies:
    """Time the bundles among the sides in turns, all in one run.

    Args:
        crops: the sides, and crops that all of them can read.
        seconds: least time for each latency; 0 times nothing.
        queries: fewest calls for each latency.

    Returns:
        The latencies; none where fewer than two sides are bundles, as there is nothing to compare then.
    """
    timed = {side.file.side: (side.classifier, side.threads) for side in crops.sides if side.classifier}
    if not seconds or len(timed) < 2:
        return BundleLatencies()
    say(f"compare: timing {'both' if len(crops.sides) == 2 else f'{len(timed):,}'} bundles in turns")
    data = _pictures(crops)
    calls = {f"{side}: {what}": call for side, (item, _) in timed.items() for what, call in _calls(item, data).items()}
    with exclusive_timing():
        watch = machine.LoadWatch()
        times = latency.time_interleaved(calls, seconds=seconds, least=queries)
        warning, state = watch.warning(), machine.machine_state()
    measured = {
        side: tuple(_summary(f"{side}: {what}", times[f"{side}: {what}"], item, threads) for what in WHAT)
        for side, (item, threads) in timed.items()
    }
    kept = {side: tuple(times[f"{side}: {what}"] for what in WHAT) for side in timed}
    return BundleLatencies(measured, kept, speeds.state(state), warning)


def _pictures(crops: ComparedCrops) -> list[bytes]:
    pictures: Sequence[Path] = [crops.truth.files[name] for name in crops.names]
    count = min(MOST_PICTURES, len(pictures))
    return [atomic_io.read_file(pictures[at * len(pictures) // count]) for at in range(count)]


def _summary(name: str, times: Seconds, classifier: Classifier, threads: int) -> Measurement:
    return latency.summarize_latency(
        name,
        times,
        distribution=True,
        threads=threads,
        bundle=classifier.bundle.digest,
        engine=classifier.engine_name,
    )


def _calls(classifier: Classifier, data: Sequence[bytes]) -> dict[str, Callable[[], object]]:
    return {
        bench.WHOLE: latency.label_call(classifier, data),
        bench.ALONE: latency.photo_call(classifier, data),
    }
