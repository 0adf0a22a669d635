"""Whether an engine runs a bundle without taking the process down with it: tried in a child process, once.

A fault in an engine's native code ends the process that it happens in, without a word and with all its work. So an
engine that nothing else here depends on (`proven` in its class says which it is) loads a bundle and runs a few batches
elsewhere first; how that went is remembered for this bundle, engine, version and machine.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leansort.core.bundle import Bundle
from leansort.core.errors import EngineError
from leansort.core.provenance import host, versions
from leansort.core.writing import atomic_io
from leansort.measure import measurement_cache
from leansort.runtime import engine as engines
from leansort.runtime import engine_trial_child
from leansort.runtime.engine import LoadedGraph
from leansort.runtime.engine_trial_child import BATCHES, LIMIT, time_limit_s

KIND = "trials"
SINGLES = (1, 1, 1)  # some faults come with the second call
Pair = tuple[Bundle, str]
_PASSING = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)  # sent by somebody else: out of memory, a person


@dataclass(frozen=True)
class _TrialSettings:
    threads: int
    batches: tuple[int, ...]


def load(bundle: Bundle, engine: str = "", *, threads: int = 1, batches: Sequence[int] = BATCHES) -> LoadedGraph:
    """Load a bundle into an engine, as `runtime.engine.load` does, once it is known to bear that.

    Args:
        bundle: a verified bundle.
        engine: as there.
        threads: compute threads of the engine.
        batches: images a call that it is tried with, those that it will be used with.

    Raises:
        EngineError: it crashed, hung or failed when it was tried.
        UserError: as `runtime.engine.load` does.
        IntegrityError: the graph cannot be loaded.
    """
    require(bundle, engine, threads=threads, batches=batches)
    return engines.load_engine(bundle, engine, threads=threads)


def require(bundle: Bundle, engine: str = "", *, threads: int = 1, batches: Sequence[int] = BATCHES) -> None:
    """Refuse an engine that does not bear a bundle.

    Raises:
        EngineError: it crashed, hung or failed when it was tried.
    """
    [fault] = find_faults([(bundle, engine or engines.default_engine(bundle))], threads=threads, batches=batches)
    if fault:
        raise EngineError(fault)


def find_faults(pairs: Sequence[Pair], *, threads: int = 1, batches: Sequence[int] = BATCHES) -> list[str]:
    """What is wrong with each pair of a bundle and an engine, in a sentence; empty where nothing is.

    What a library tells in the usual way, such as a graph that it does not read, is left for the loading to tell.
    """
    how = _TrialSettings(threads, tuple(batches))
    result = [_cached_fault(*pair, how) for pair in pairs]
    left = [at for at, item in enumerate(result) if item is None]
    while left:  # one child for all; another one for those behind a pair that ended it
        for at, fault in zip(left, _run_trials([pairs[at] for at in left], how), strict=False):
            result[at] = fault
            left = left[1:]
    return [item or "" for item in result]


def suggest_engine(bundle: Bundle, engine: str) -> str:
    """What to do in place of an engine."""
    name = engines.parse_engine(engine)[0]
    others = [installed for installed in engines.installed_engines(bundle.graph_format) if installed != name]
    others.sort(key=lambda other: not engines.is_proven(other))
    return (
        f"use --engine {others[0]}, or name {others[0]} in the recipe"
        if others
        else "export the network with --format onnx, for onnxruntime"
    )


def _cached_fault(bundle: Bundle, engine: str, how: _TrialSettings) -> str | None:
    """What is known of a pair already; None where it has to be tried."""
    if engines.is_proven(engine) or not engines.can_run(bundle, engine):
        return ""
    kept = measurement_cache.read(KIND, _key(bundle, engine, how)).get("fault")
    return kept if isinstance(kept, str) else None


def _run_trials(pairs: Sequence[Pair], how: _TrialSettings) -> list[str]:
    """Of each pair up to the first that ended the child, that one included."""
    with atomic_io.scratch() as folder:
        jobs = []
        for number, (bundle, engine) in enumerate(pairs):
            atomic_io.write_bytes(folder / f"{number}.leansort", bundle.to_bytes())  # unsound ones are refused there
            jobs.append([str(folder / f"{number}.leansort"), engine, how.threads, how.batches])
        command = [sys.executable, "-m", engine_trial_child.__name__]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        done = subprocess.run(
            command,
            input=json.dumps(jobs),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=environment,
        )
    steps = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"job":')]
    texts: list[str] = []
    for number, (bundle, engine) in enumerate(pairs):
        ours = [step for step in steps if step["job"] == number]
        fault = _fault(ours, done, bundle, engine)
        texts.append(fault)
        if _is_repeatable(fault, ours, done):
            measurement_cache.write(KIND, _key(bundle, engine, how), {"fault": fault})
        if not _ended_well(ours):
            break
    return texts


def _fault(steps: Sequence[dict[str, Any]], done: subprocess.CompletedProcess[str], bundle: Bundle, engine: str) -> str:
    last = steps[-1] if steps else {"doing": "its start"}
    if "done" in last:
        return ""
    what = last.get("failed") or describe_exit(done.returncode, hung=engine_trial_child.HUNG in done.stderr)
    return f"engine {engine}: {what} on {last['doing']} of {bundle.meta.name!r}; {suggest_engine(bundle, engine)}"


def describe_exit(code: int, *, hung: bool = False) -> str:
    """How a process ended that should not have, by its exit status."""
    if hung:
        return f"did not answer for {time_limit_s():g} s ({LIMIT} sets how long it may take)"
    if code >= 0:
        return f"ended its process (exit status {code})"
    name = ""
    with suppress(ValueError):
        name = f", {signal.Signals(-code).name}"
    return f"crashed (signal {-code}{name})"


def _ended_well(steps: Sequence[dict[str, Any]]) -> bool:
    return bool(steps) and ("done" in steps[-1] or "failed" in steps[-1])


def _is_repeatable(fault: str, steps: Sequence[dict[str, Any]], done: subprocess.CompletedProcess[str]) -> bool:
    """Whether it would go the same way again: neither slowness nor an exception has to."""
    if not fault:
        return True
    return not _ended_well(steps) and done.returncode < 0 and -done.returncode not in _PASSING


def _key(bundle: Bundle, engine: str, how: _TrialSettings) -> Any:
    name = engines.parse_engine(engine)[0]
    kind = engines.engine_class(name)
    library, version = kind.requires, ""
    with suppress(importlib.metadata.PackageNotFoundError):
        version = importlib.metadata.version(library)
    return [
        bundle.digest,
        engine,
        how.threads,
        how.batches,
        atomic_io.sha256(Path(inspect.getfile(kind)).read_bytes()),
        version,
        host(),
        versions(),
    ]
