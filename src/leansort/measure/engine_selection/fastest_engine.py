"""Which installed engine runs a bundle fastest on this machine: measured once, then remembered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from leansort.core.bundle import Bundle
from leansort.core.errors import EngineError, UserError
from leansort.core.provenance import host, versions
from leansort.measure import engine_trial, measurement_cache
from leansort.measure.timing import latency
from leansort.measure.timing.machine import LoadWatch
from leansort.runtime import engine as engines

KIND = "engines"
SECONDS = 0.5  # each engine is timed for


def choose_fastest_engine(
    bundle: Bundle, *, threads: int = 1, seconds: float = SECONDS, say: Callable[[str], None] = lambda _: None
) -> str:
    """The engine with the lowest median latency, one image a call, all engines in turns.

    Args:
        bundle: what to run.
        threads: of the engines.
        seconds: least time of each engine.
        say: hears of each engine that is left out because it crashed, hung or failed when it was tried.

    Returns:
        Its name. The choice is remembered for this bundle, machine, number of threads and versions; not where the
        machine was busy, nor where nothing can be written.

    Raises:
        UserError: no installed engine reads the bundle.
        EngineError: none of them bears it.
    """
    key = [bundle.digest, threads, host(), versions(), engines.installed_engines()]
    names = engines.installed_engines(bundle.graph_format)
    if not names:
        raise UserError(
            f"engine auto: none is installed that reads {bundle.graph_format} bundles; "
            f"there are {', '.join(engines.engines_reading(bundle.graph_format))}"
        )
    known = measurement_cache.read(KIND, key).get("engine")
    if isinstance(known, str) and known in names:
        return known
    names = _sound(bundle, names, threads, say)
    if len(names) == 1:
        return names[0]
    watch = LoadWatch()
    ms = time_engines(bundle, names, threads=threads, seconds=seconds)
    best = min(ms, key=lambda name: ms[name])
    if not watch.warning():
        measurement_cache.write(KIND, key, {"engine": best, "ms": ms})
    return best


def _sound(bundle: Bundle, names: list[str], threads: int, say: Callable[[str], None]) -> list[str]:
    """Those engines that bear the bundle."""
    result = dict(
        zip(names, engine_trial.find_faults([(bundle, name) for name in names], threads=threads), strict=True)
    )
    if all(result.values()):
        raise EngineError(f"engine auto: no engine bears this bundle; {next(iter(result.values()))}")
    for fault in filter(None, result.values()):
        say(f"left out: {fault.partition(';')[0]}")
    return [name for name in names if not result[name]]


def time_engines(bundle: Bundle, names: list[str], *, threads: int, seconds: float) -> dict[str, float]:
    """Median milliseconds of one image by engine."""
    calls = {name: latency.call(bundle, name, threads=threads) for name in names}
    times = latency.time_interleaved(calls, seconds=seconds, least=20)
    return {name: 1e3 * float(np.median(taken)) for name, taken in times.items()}
