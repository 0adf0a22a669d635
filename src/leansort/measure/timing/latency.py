"""Latency and throughput that one can believe.

What is compared is interleaved in short blocks, so that a change of clock speed or load strikes all alike; each
call is timed by itself, so that percentiles are of calls and not of averages.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from leansort.core.bundle import Bundle
from leansort.core.provenance import host
from leansort.core.seeds import Seeds
from leansort.measure import engine_trial
from leansort.measure.measurement import Measurement
from leansort.runtime.engine import LoadedGraph
from leansort.runtime.predictor import Classifier

Seconds = npt.NDArray[np.float64]
Call = Callable[[], object]
BLOCK_S = 0.1
MOST_DRAWN = 5000
QUANTILES = 41  # of a distribution that is kept: every 2.5 %
MOST_HELD = 256  # decoded photos


def time_interleaved(
    calls: Mapping[str, Call], *, seconds: float = 3.0, warmup: int = 10, least: int = 100
) -> dict[str, Seconds]:
    """Time several calls in turns.

    Args:
        calls: what to time, by name.
        seconds: least time that each call gets.
        warmup: untimed calls of each before the first block.
        least: fewest timed calls of each.

    Returns:
        Seconds of every single call, by name.
    """
    for call in calls.values():
        for _ in range(warmup):
            call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    spent = dict.fromkeys(calls, 0.0)
    while any(spent[name] < seconds or len(taken[name]) < least for name in calls):
        for name, call in calls.items():
            spent[name] += _block(call, taken[name])
    return {name: np.asarray(times) for name, times in taken.items()}


def _block(call: Call, into: list[float]) -> float:
    spent = 0.0
    while spent < BLOCK_S:
        started = time.perf_counter()
        call()
        into.append(time.perf_counter() - started)
        spent += into[-1]
    return spent


def call(bundle: Bundle, engine: str, *, threads: int = 1) -> Call:
    """Load a bundle; return what runs it on one image of noise.

    Raises:
        UserError: no such engine, or it does not read the bundle's format.
        EngineError: it crashed, hung or failed when it was tried in a child process.
    """
    return noise_call(bundle, engine_trial.load(bundle, engine, threads=threads, batches=engine_trial.SINGLES))


def photo_call(classifier: Classifier, photos: Sequence[bytes]) -> Call:
    """Return what runs a classifier's graph on photos that were decoded before, one a call.

    A graph takes as long for any photo, so that the first one will do; a cascade does not, and takes them in turns.
    """
    taken = photos[:MOST_HELD] if classifier.bundle.stages else photos[:1]
    held = [np.stack([classifier.preprocess(photo)]) for photo in taken]
    endless = itertools.cycle(held)
    return lambda: classifier.engine.run(next(endless))


def label_call(classifier: Classifier, photos: Sequence[bytes]) -> Call:
    """Return what goes the whole way from an encoded photo to its label, the photos in turns."""
    endless = itertools.cycle(photos)
    return lambda: classifier.predict(next(endless))


def noise_call(bundle: Bundle, runner: LoadedGraph) -> Call:
    """Return what runs a loaded bundle on one image of noise."""
    size = bundle.meta.preprocess.size
    x_bhwc = Seeds(0).child("measure/noise").numpy().integers(0, 256, (1, size, size, 3)).astype(np.uint8)
    return lambda: runner.run(x_bhwc)


def summarize_latency(
    name: str, times: Seconds, *, warmup: int = 10, distribution: bool = False, **source: Any
) -> Measurement:
    """Sum up call times as a latency in ms: the median with its bootstrap interval, mean and percentiles.

    Args:
        name: what was timed.
        times: seconds of each call.
        warmup: calls before them.
        distribution: whether to keep quantiles, of which a page draws it.
        **source: further fields of the Measurement: bundle, engine, threads.
    """
    p50, p90, p99 = (float(value) for value in np.quantile(times * 1e3, [0.5, 0.9, 0.99]))
    percentiles = {"p50": p50, "p90": p90, "p99": p99}
    mean = 1e3 * float(times.mean())
    kept = np.quantile(times * 1e3, np.linspace(0, 1, QUANTILES)).round(6).tolist() if distribution else []
    return summarize(
        name, times * 1e3, "ms", mean=mean, percentiles=percentiles, quantiles=kept, warmup=warmup, **source
    )


def summarize(name: str, values: Seconds, unit: str, **source: Any) -> Measurement:
    """Sum up observations: the median with its bootstrap interval."""
    low, high = bootstrap(values, np.median)
    return Measurement(
        name=name,
        value=float(np.median(values)),
        unit=unit,
        low=low,
        high=high,
        count=len(values),
        host=host(),
        **source,
    )


def speed_ratio(slow: Seconds, fast: Seconds, draws: int = 1000) -> tuple[float, float, float]:
    """How many times faster: mean of `slow` over mean of `fast`, with its 95 % bootstrap interval."""
    rng = Seeds(0).child("measure/ratio").numpy()
    drawn = [_redrawn(slow, rng).mean() / _redrawn(fast, rng).mean() for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(slow.mean() / fast.mean()), float(low), float(high)


def bootstrap(values: Seconds, statistic: Callable[..., object], draws: int = 500) -> tuple[float, float]:
    """95 % percentile bootstrap interval of a statistic (Efron 1979); of large samples 5,000 are drawn first."""
    rng = Seeds(0).child("measure/latency").numpy()
    thin = values if len(values) <= MOST_DRAWN else rng.choice(values, MOST_DRAWN, replace=False)
    drawn = np.asarray(statistic(rng.choice(thin, (draws, len(thin))), axis=1))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _redrawn(values: Seconds, rng: np.random.Generator) -> Seconds:
    return rng.choice(values, len(values))
