"""Claim: over 200,000 predictions, one file in a hundred bad, memory and latency stay flat and no picture is lost.

Memory is the process's resident set, every thousand predictions; latency the time of each thousand. Flat: the last
tenth takes at most 2 % more memory, and at most 10 % more time, than the second one (the first warms up). Both curves
are drawn into `out/soak.html`. Then p99/p50 of 10,000 single predictions in one thread, which is to be at most 1.5.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.pictures import photos
from benchmarks.recorded_runs import processor
from leansort.arch import trained_model
from leansort.core.writing import atomic_io
from leansort.export.onnx import export_onnx
from leansort.measure.timing import latency
from leansort.measure.timing.machine import LoadWatch
from leansort.report.charts import plots
from leansort.runtime.predictor import Classifier

HERE = Path(__file__).parent
MODEL = HERE.parent / "models" / "trashnet-small"
FILES, EACH, BAD = 1000, 1000, 100
MOST_MEMORY, MOST_TIME, MOST_TAIL, SINGLE = 1.02, 1.10, 1.5, 10_000


def folder_of(folder: Path) -> list[Path]:
    """Photos, one in a hundred of them cut short, empty, or no picture."""
    paths = photos(folder, FILES)
    for number, path in enumerate(paths[::BAD]):
        data = path.read_bytes()
        path.write_bytes([data[: len(data) // 2], b"", b"not a picture"][number % 3])
    return paths


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def soak(classifier: Classifier, paths: list[Path], count: int) -> tuple[list[float], list[float], int]:
    """Resident MB and milliseconds a picture, by thousands; and how many could not be read."""
    memory, ms, bad = [], [], 0
    stream: Iterator[Path] = itertools.islice(itertools.cycle(paths), count)
    many = classifier.predict_many(stream, threads=0, batch=0)
    for _ in range(count // EACH):
        started = time.perf_counter()
        bad += sum(1 for item in itertools.islice(many, EACH) if item.error)
        ms.append(1e3 * (time.perf_counter() - started) / EACH)
        memory.append(resident_mb())
    assert next(many, None) is None
    return memory, ms, bad


def growth(values: list[float]) -> float:
    tenth = max(1, len(values) // 10)
    return float(np.median(values[-tenth:]) / np.median(values[tenth : 2 * tenth]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200_000)
    count = parser.parse_args().count
    with atomic_io.scratch() as folder:
        paths = folder_of(folder / "photos")
        export_onnx(trained_model.load(MODEL)).save(folder / "m.leansort")
        watch = LoadWatch()
        with Classifier.load(folder / "m.leansort") as classifier:
            memory, ms, bad = soak(classifier, paths, count)
            good = itertools.cycle([path.read_bytes() for path in paths[1:BAD]])
            alone = latency.time_interleaved(
                {"predict": lambda: classifier.predict(next(good))}, seconds=1.0, least=SINGLE
            )
    print(watch.warning() or "nothing else ran")
    p50, p99 = np.quantile(alone["predict"], [0.5, 0.99])
    grown, slower, tail = growth(memory), growth(ms), float(p99 / p50)
    holds = grown <= MOST_MEMORY and slower <= MOST_TIME and bad == count // BAD
    print(f"{count:,} predictions, {bad:,} unreadable as planted ({count // BAD:,})")
    print(f"memory {memory[0]:.0f} MB after {EACH:,}, {memory[-1]:.0f} MB at the end, last tenth {grown:.3f} times")
    print(f"{np.median(ms):.3f} ms a picture, last tenth {slower:.3f} times; one thread p99/p50 {tail:.2f}")
    print(
        ("holds" if holds else "MISSED: not flat") + ("" if tail <= MOST_TAIL else f"; MISSED: p99/p50 > {MOST_TAIL}")
    )
    atomic_io.write_text(HERE / "out" / "soak.html", page(memory, ms))
    tree = {"memory_mb": memory, "ms": ms, "bad": bad, "tail": tail, "holds": holds, "host": processor()}
    atomic_io.write_json(HERE / "out" / "soak.json", tree)


def page(memory: list[float], ms: list[float]) -> str:
    axis = "thousand predictions"
    drawn = {
        "resident memory, MB": plots.curve("MB", list(enumerate(memory, 1)), axis=axis),
        "milliseconds a picture": plots.curve("ms", list(enumerate(ms, 1)), axis=axis),
    }
    style = ".plot{width:40rem}.line{fill:none;stroke:#267}.grid{stroke:#ddd}text{font:11px sans-serif}"
    body = "".join(f"<h2>{what}</h2>{svg}" for what, svg in drawn.items())
    return f"<!doctype html><meta charset=utf-8><title>Soak</title><style>{style}</style>{body}"


if __name__ == "__main__":
    main()
