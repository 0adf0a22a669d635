"""Claim: from the path of a photo to its label, C++ takes at most 0.85 of the time that Python takes.

The shipped model is exported to C++ and built here. Both sides run the same graph in OpenVINO on one thread and read
the same drawn photos of 512x384, in turns within one run; each measures itself, from the path to the decision, so that
the pipe between them counts for neither. Their labels are compared on the way. Needs g++, cmake and TurboJPEG's
headers.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import openvino.utils

from benchmarks.pictures import photos
from benchmarks.recorded_runs import processor
from leansort.core import bundle as bundles
from leansort.core.writing import atomic_io
from leansort.export.cpp.cpp_folder import write_cpp_folder
from leansort.measure.timing import latency
from leansort.measure.timing.machine import LoadWatch
from leansort.runtime.predictor import Classifier
from leansort.runtime.shipped_models import find_bundle

HERE = Path(__file__).parent
MODEL, AT_MOST = "trashnet-lean", 0.85
WARMUP = 20
Answer = tuple[float, str]  # seconds, label
Ways = dict[str, Callable[[Path], Answer]]


class CppProgram:
    """`leansort_predict`, which answers a path at a time."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [program, "--time", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def answer(self, path: Path) -> Answer:
        """Seconds from the path to the decision, as the program measured them, and the label."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        columns = self._process.stdout.readline().rstrip("\n").split("\t")
        return float(columns[-1]) / 1e6, columns[1]

    def close(self) -> None:
        """End the program."""
        self._process.communicate()


def built(folder: Path) -> Path:
    """Export and build as the exported README says."""
    write_cpp_folder(bundles.load(find_bundle(MODEL)), folder, MODEL)
    options = [f"-DOpenVINO_DIR={openvino.utils.get_cmake_path()}"]
    subprocess.run(["cmake", "-S", folder, "-B", folder / "build", *options], check=True, capture_output=True)
    subprocess.run(["cmake", "--build", folder / "build"], check=True, capture_output=True)
    return folder / "build" / "leansort_predict"


def python_answer(classifier: Classifier, path: Path) -> Answer:
    started = time.perf_counter()
    label = classifier.predict(path).label
    return time.perf_counter() - started, label


def measure(ways: Ways, paths: list[Path], seconds: float) -> dict[str, latency.Seconds]:
    """Seconds of every answer, in blocks by turns; a label that differs ends the run."""
    labels = {path: {answer(path)[1] for answer in ways.values()} for path in paths}
    differing = [path.name for path, told in labels.items() if len(told) > 1]
    if differing:
        raise SystemExit(f"labels differ on {len(differing)} of {len(paths)} photos: {', '.join(differing[:3])}")
    turns = {name: itertools.cycle(paths) for name in ways}
    for name, answer in ways.items():
        for path in itertools.islice(turns[name], WARMUP):
            answer(path)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    while any(sum(times) < seconds for times in taken.values()):
        for name, answer in ways.items():
            taken[name] += _block(answer, turns[name])
    return {name: np.asarray(times) for name, times in taken.items()}


def _block(answer: Callable[[Path], Answer], paths: Iterator[Path]) -> list[float]:
    times: list[float] = []
    while sum(times) < latency.BLOCK_S:
        times.append(answer(next(paths))[0])
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    seconds = parser.parse_args().seconds
    with atomic_io.scratch() as folder:
        program, paths = CppProgram(built(folder / "cpp")), photos(folder / "photos", 64)
        watch = LoadWatch()
        with Classifier.load(MODEL, engine="openvino", threads=1) as classifier:
            ways: Ways = {"python": partial(python_answer, classifier), "c++": program.answer}
            times = measure(ways, paths, seconds)
        program.close()
    ratio, low, high = latency.speed_ratio(times["c++"], times["python"])
    for name, taken in times.items():
        print(f"{name}: {1e3 * float(np.median(taken)):.3f} ms, {len(taken)} photos")
    print(watch.warning() or "nothing else ran")
    verdict = "holds" if ratio <= AT_MOST else f"MISSED: above {AT_MOST}"
    print(f"C++ takes {ratio:.2f} of Python's time (95 % {low:.2f} – {high:.2f}), {verdict}")
    tree = {
        "ms": {name: 1e3 * float(np.median(taken)) for name, taken in times.items()},
        "ratio": (ratio, low, high), "holds": ratio <= AT_MOST, "host": processor(),
    }  # fmt: skip
    atomic_io.write_json(HERE / "out" / "cpp.json", tree)


if __name__ == "__main__":
    main()
