"""`leansort bench`: how fast bundles are on this machine: model alone, decode alone, decode to label."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from leansort.core.errors import UserError
from leansort.measure import latency
from leansort.measure.measurement import Measurement
from leansort.runtime.predictor import Classifier
from leansort.workflows import engines

MOST_PICTURES = 256


def bench(
    paths: Sequence[Path],
    pictures: Sequence[Path],
    *,
    seconds: float = 3.0,
    threads: int = 1,
    engine: str = "",
) -> tuple[list[Measurement], str]:
    """Time bundles, interleaved.

    Args:
        paths: the bundle files.
        pictures: pictures to decode; held in memory, so that the disk is not timed.
        seconds: least time for each figure.
        threads: compute threads of the engine.
        engine: which engine; for each bundle the one that suits it where empty, the fastest for `auto`.

    Returns:
        The latencies in ms, and a warning where the machine was busy.

    Raises:
        UserError: no bundle, or no picture that can be read.
    """
    warning = latency.busy()
    data = [path.read_bytes() for path in pictures[:MOST_PICTURES]]
    if not paths or not data:
        raise UserError("bench: needs at least one bundle and one picture")
    names = (
        [path.stem for path in paths] if len({path.stem for path in paths}) == len(paths) else [str(p) for p in paths]
    )
    loaded = {name: engines.classifier(path, engine, threads=threads) for name, path in zip(names, paths, strict=True)}
    calls: dict[str, Callable[[], object]] = {}
    for name, classifier in loaded.items():
        calls |= {f"{name}: {what}": call for what, call in _calls(classifier, data).items()}
    times = latency.interleaved(calls, seconds=seconds)
    digests = {name: classifier.bundle.digest for name, classifier in loaded.items()}
    return [
        latency.latency(name, taken, bundle=digests[name.rpartition(": ")[0]], threads=threads)
        for name, taken in times.items()
    ], warning


def _calls(classifier: Classifier, data: Sequence[bytes]) -> dict[str, Callable[[], object]]:
    x_bhwc = np.stack([classifier.preprocess(data[0])])
    decoded, labelled = itertools.cycle(data), itertools.cycle(data)
    return {
        "model alone": lambda: classifier.engine.run(x_bhwc),
        "decode alone": lambda: classifier.preprocess(next(decoded)),
        "decode to label": lambda: classifier.predict(next(labelled)),
    }


def to_json(measurements: Sequence[Measurement], warning: str) -> dict[str, Any]:
    """As plain data, for `bench.json`."""
    return {"measurements": [one.model_dump(mode="json") for one in measurements], "warning": warning}


def table(measurements: Sequence[Measurement]) -> str:
    """As lines of text."""
    wide = max(len(one.name) for one in measurements)
    head = f"{'':{wide}}     p50     p90     p99   {'95 % of p50':>15}   calls   ms"
    return "\n".join([head, *(_line(one, wide) for one in measurements)])


def _line(one: Measurement, wide: int) -> str:
    p50, p90, p99 = (one.percentiles[key] for key in ("p50", "p90", "p99"))
    return f"{one.name:{wide}} {p50:7.3f} {p90:7.3f} {p99:7.3f}   {one.low:6.3f} – {one.high:6.3f} {one.count:7d}"
