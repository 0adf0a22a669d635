"""Which installed engine runs a bundle fastest on this machine: measured once, then remembered."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from leansort.core import store
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, UserError
from leansort.core.provenance import host, versions
from leansort.measure import latency
from leansort.measure.machine import Watch
from leansort.runtime import engine as engines

SECONDS = 0.5  # each engine is timed for


def fastest(bundle: Bundle, *, threads: int = 1, seconds: float = SECONDS) -> str:
    """The engine with the lowest median latency, one picture a call, all engines in turns.

    Args:
        bundle: what to run.
        threads: of the engines.
        seconds: least time of each engine.

    Returns:
        Its name. The choice is kept in `folder()`, for this bundle, machine, number of threads and versions; not where
        the machine was busy, nor where nothing can be written.

    Raises:
        UserError: no installed engine reads the bundle.
    """
    kept = folder() / f"{store.digest([bundle.digest, threads, host(), versions(), engines.installed()])}.json"
    names = engines.installed(bundle.format)
    if not names:
        raise UserError(
            f"engine auto: none is installed that reads {bundle.format} bundles; "
            f"there are {', '.join(engines.reading(bundle.format))}"
        )
    known = _read(kept)
    if known in names:
        return known
    if len(names) == 1:
        return names[0]
    watch = Watch()
    ms = timed(bundle, names, threads=threads, seconds=seconds)
    best = min(ms, key=lambda name: ms[name])
    if not watch.warning():
        _write(kept, best, ms)
    return best


def timed(bundle: Bundle, names: list[str], *, threads: int, seconds: float) -> dict[str, float]:
    """Median milliseconds of one picture by engine."""
    calls = {name: latency.call(bundle, name, threads=threads) for name in names}
    times = latency.interleaved(calls, seconds=seconds, least=20)
    return {name: 1e3 * float(np.median(taken)) for name, taken in times.items()}


def folder() -> Path:
    """Where choices are kept: `leansort/engines` in XDG_CACHE_HOME, or in ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "leansort" / "engines"


def _read(kept: Path) -> str:
    try:
        tree = store.read_json(kept, "engine auto")
    except (LeansortError, RuntimeError):  # not there, or damaged: it is measured again
        return ""
    return str(tree.get("engine", "")) if isinstance(tree, dict) else ""


def _write(kept: Path, best: str, ms: Mapping[str, float]) -> None:
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        store.write_json(kept, {"engine": best, "ms": dict(ms)})
    except (OSError, LeansortError):  # a full or read-only disk costs a measurement each time, no more
        return
