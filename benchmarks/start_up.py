"""Claim: `import leansort` takes under 0.15 s, `leansort --help` under 0.4 s, and a first label under 0.35 s.

The first label is that of a program that loads a bundle, from the start of its process. Reference: a bare interpreter,
interleaved, so that its own time can be seen. The bundle is the smaller committed network in int8; beside the program
as a robot's programmer writes it stands `leansort predict`. No torch is loaded.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from benchmarks.pictures import photos
from benchmarks.recorded_runs import processor
from leansort.arch import trained_model
from leansort.compress.quantization.post_training import quantize_onnx
from leansort.core.writing import atomic_io
from leansort.export.onnx import export_onnx
from leansort.measure.timing import cold_start
from leansort.measure.timing.machine import LoadWatch

HERE = Path(__file__).parent
MODEL = HERE.parent / "models" / "trashnet-small"
ROUNDS = 15
PROGRAM = """
import sys
from leansort import Classifier
with Classifier.load(sys.argv[1]) as classifier:
    print(classifier.predict(sys.argv[2]).label, flush=True)
"""


def commands(folder: Path) -> dict[str, tuple[list[str], float | None]]:
    """What is started, and the most seconds it may take to its first line."""
    [photo] = photos(folder / "photos", 1)
    bundle, path = export_onnx(trained_model.load(MODEL)), str(folder / "m.leansort")
    quantize_onnx(bundle, bundle.meta.preprocess(photo)[None]).save(folder / "m.leansort")
    run, script = [sys.executable, "-c"], str(Path(sys.executable).parent / "leansort")
    predict = [script, "predict", path, str(photo), "--threads", "1", "--batch", "1"]
    loads_no_torch = "import leansort, sys; assert 'torch' not in sys.modules; print()"
    return {
        "bare interpreter": ([*run, "print()"], None),
        "import leansort": ([*run, loads_no_torch], 0.15),
        "leansort --help": ([script, "--help"], 0.4),
        "first label, from Python": ([*run, PROGRAM, path, str(photo)], 0.35),
        "first label, leansort predict": (predict, None),
    }


def main() -> None:
    with atomic_io.scratch() as folder:
        given, watch = commands(folder), LoadWatch()
        taken: dict[str, list[float]] = {name: [] for name in given}
        for _ in range(ROUNDS):
            for name, (command, _) in given.items():
                taken[name] += cold_start.time_cold_start(command, times=1)[0].tolist()
    print(watch.warning() or "nothing else ran")
    rows = {}
    for name, (_, limit) in given.items():
        low, middle, high = np.quantile(taken[name], [0.05, 0.5, 0.95]).tolist()
        holds = limit is None or middle < limit
        spread = f"median {middle:.3f} s (5 – 95 %: {low:.3f} – {high:.3f})"
        print(f"{name}: {spread}" + ("" if holds else f" MISSED {limit}"))
        rows[name] = {"median_s": middle, "low_s": low, "high_s": high, "limit_s": limit, "holds": holds}
    atomic_io.write_json(HERE / "out" / "start_up.json", {"rows": rows, "host": processor()})


if __name__ == "__main__":
    main()
