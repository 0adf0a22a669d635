"""Claim: a cascade takes at most 0.8 of its large graph's mean time from a photo to its label.

The large graph is the shipped `trashnet-lean`; the small one is what `--small` names: a run of the recipe
`trashnet-tiny`, or its bundle. Both must be of TrashNet's classes, and the threshold is fitted on TrashNet's val photos
(LEANSORT_DATA, ../shared/data by default) for a fall of macro-F1 by 0.005. The cascade, decoding once and, where that
is possible, again, and both graphs alone are timed on these photos, JPEGs in memory, on one thread, in turns.

    python -m benchmarks.cascade --small runs/trashnet-tiny
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.recorded_runs import processor
from leansort.core.bundle import load
from leansort.core.run_folder import ModelFolder
from leansort.core.writing import atomic_io
from leansort.measure.timing import latency
from leansort.measure.timing.machine import LoadWatch
from leansort.report import markdown
from leansort.runtime.cascades.cascade_bundle import default_decode
from leansort.runtime.predictor import Classifier
from leansort.runtime.shipped_models import find_bundle
from leansort.workflows.cascading.make_cascade import CascadeResult, make_cascade

ROOT = Path(__file__).parent.parent
OUT = Path(__file__).parent / "out"
LARGE, SMALL = "trashnet-lean", "trashnet-compressed"
MOST, DROP = 0.8, 0.005


def photos(data: Path, count: int) -> list[bytes]:
    """Some val photos, of all classes, in an order that mixes them."""
    paths = sorted((data / "val").rglob("*.jpg"))
    chosen = np.random.default_rng(0).permutation(len(paths))[:count]
    return [atomic_io.read_file(paths[at]) for at in chosen]


def cascades(small: Path, large: Path, data: Path, engine: str) -> dict[str, CascadeResult]:
    """A cascade by way of decoding; `again` is left out where it has no effect."""
    one, two = load(small), load(large)
    ways = [default_decode(one, two)]
    if ways == ["once"] and one.meta.preprocess.size != two.meta.preprocess.size:
        ways.append("again")
    return {
        way: make_cascade(
            small, large, data, OUT / f"cascade-{way}.leansort", max_f1_drop=DROP, decode=way, engine=engine
        )
        for way in ways
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", default=SMALL, help="the small bundle, its run's folder, or a model's name")
    parser.add_argument("--large", default=LARGE, help="the large one")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("LEANSORT_DATA", ROOT.parent / "shared/data")))
    parser.add_argument("--engine", default="", help="that runs all of them; what suits the format by default")
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    small, large = (
        ModelFolder(Path(name)).bundle if Path(name).is_dir() else find_bundle(name)
        for name in (given.small, given.large)
    )
    OUT.mkdir(exist_ok=True)
    made = cascades(small, large, given.data / "trashnet", given.engine)
    files = {"large alone": large, "small alone": small} | {f"cascade, {way}": r.bundle for way, r in made.items()}
    data, watch = photos(given.data / "trashnet", 256), LoadWatch()
    loaded = {name: Classifier.load(path, engine=given.engine) for name, path in files.items()}
    calls: dict[str, Callable[[], object]] = {
        name: partial(_next, classifier, itertools.cycle(data)) for name, classifier in loaded.items()
    }
    times = latency.time_interleaved(calls, seconds=given.seconds, least=2000)
    rows, ms, best = [], dict[str, dict[str, float]](), float("inf")
    for name, taken in times.items():
        ratio, low, high = latency.speed_ratio(taken, times["large alone"])
        p50, p99 = np.quantile(1e3 * taken, [0.5, 0.99]).tolist()
        ms[name] = {"mean": 1e3 * float(taken.mean()), "p50": p50, "p99": p99}
        rows.append(
            [name, f"{1e3 * taken.mean():.3f}", f"{p50:.3f}", f"{p99:.3f}", f"{ratio:.2f} ({low:.2f} – {high:.2f})"]
        )
        best = min(best, ratio) if name.startswith("cascade") else best
    print(markdown.table(["", "mean ms", "p50", "p99", "of the large graph's mean"], rows))
    for way, result in made.items():
        print(f"\ndecode {way}:\n{result.summary()}")
    print(watch.warning() or "nothing else ran")
    print(f"{best:.2f} of the large graph's mean time: {'holds' if best <= MOST else f'MISSED: above {MOST}'}")
    tree = {
        "ms": ms,
        "ratio": best,
        "holds": best <= MOST,
        "cascades": {way: result.to_json() for way, result in made.items()},
        "host": processor(),
    }
    atomic_io.write_json(OUT / "cascade.json", tree)


def _next(classifier: Classifier, encoded: itertools.cycle[bytes]) -> object:
    return classifier.predict(next(encoded))


if __name__ == "__main__":
    main()
