"""Claim: a local Ray cluster of two workers is 1.7 times as fast as one process; one worker is at most 15 % slower.

One process with one thread and batch 1, a cluster of one worker, and one of two, in turns, over the same photos. To
start Ray takes seconds and is told apart: the rate is that of photos between two counts, as it is in long runs.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.pictures import photos
from benchmarks.recorded_runs import processor
from leansort.core.writing import atomic_io
from leansort.measure.timing.machine import LoadWatch
from leansort.runtime.predictor import Classifier
from leansort.workflows.cluster.ray_predict import predict_with_ray

HERE = Path(__file__).parent
LEAST_RATIO, MOST_OVERHEAD = 1.7, 0.15


def one_process(paths: list[Path]) -> float:
    """Seconds from one loaded classifier's first photo to its last."""
    with Classifier.load() as classifier:
        started = time.perf_counter()
        assert not any(item.error for item in classifier.predict_many(paths, batch=1, threads=1))
        return time.perf_counter() - started


def cluster(paths: list[Path], workers: int) -> float:
    """Seconds of a whole run on a fresh cluster."""
    folder = Path(tempfile.mkdtemp(prefix="leansort-ray-"))
    try:
        started = time.perf_counter()
        result = predict_with_ray(None, paths, folder, f"local:{workers}", style="json")
        assert result.unreadable == 0
        return time.perf_counter() - started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    watch = LoadWatch()
    with tempfile.TemporaryDirectory() as name:
        paths = photos(Path(name), given.photos)
        few = paths[: given.photos // 10]
        times: dict[str, list[float]] = {"one process": [], "1 worker": [], "2 workers": []}
        starts: dict[str, list[float]] = {"1 worker": [], "2 workers": []}
        for _ in range(given.rounds):
            times["one process"].append(one_process(paths) - one_process(few))
            for workers, label in ((1, "1 worker"), (2, "2 workers")):
                short = cluster(few, workers)
                times[label].append(cluster(paths, workers) - short)
                starts[label].append(short)
    counted = len(paths) - len(few)
    if short_of := [label for label, seconds in times.items() if statistics.median(seconds) <= 0]:
        raise SystemExit(
            f"no verdict: the start of {', '.join(short_of)} varies by more than {counted} photos take; "
            f"give more than --photos {given.photos}, or measure alone ({watch.warning() or 'nothing else ran'})"
        )
    rates = {label: counted / statistics.median(seconds) for label, seconds in times.items()}
    ratio, overhead = rates["2 workers"] / rates["one process"], 1 - rates["1 worker"] / rates["one process"]
    for label, rate in rates.items():
        start = (
            f", with start and {len(few)} photos {statistics.median(starts[label]):.1f} s" if label in starts else ""
        )
        print(f"{label}: {rate:,.1f} photos a second{start}")
    print(watch.warning() or "nothing else ran")
    holds = ratio >= LEAST_RATIO and overhead <= MOST_OVERHEAD
    print(f"two workers {ratio:.2f} times one process (at least {LEAST_RATIO}), one worker {100 * overhead:+.1f} % "
          f"slower (at most {100 * MOST_OVERHEAD:.0f} %): {'holds' if holds else 'MISSED'}")  # fmt: skip
    told = {"rates": rates, "seconds": times, "starts": starts, "ratio": ratio, "overhead": overhead}
    atomic_io.write_json(HERE / "out" / "ray_predict.json", {**told, "holds": holds, "host": processor()})


if __name__ == "__main__":
    main()
