"""Claim: `leansort submit` takes a twelfth of the wall time of a submission program written the old way.

5,217 pictures, as in the contest, all cores, from the start of the process to the closed file; the same MnasNet at
128 px. Both programs in turns: ours in float, in int8, and with that int8 graph run by OpenVINO, which is what counts.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.pictures import photos
from benchmarks.recorded_runs import processor
from leansort.arch.build import build
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.compress.quantization.post_training import quantize_onnx
from leansort.contest.contest_classes import CONTEST_CLASSES
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.core.text import text_files
from leansort.core.writing import atomic_io
from leansort.export.onnx import export_onnx
from leansort.measure.timing import latency
from leansort.measure.timing.machine import LoadWatch
from leansort.runtime import engine as engines

PICTURES, SIZE, ROUNDS, AT_LEAST = 5217, 128, 3, 12.0
HERE = Path(__file__).parent


def commands(folder: Path, pictures: list[Path]) -> dict[str, list[str]]:
    """What is timed, by name."""
    spec, preprocess = ArchSpec(classes=6), Preprocess(size=SIZE)
    model = TrainedModel(spec, build(spec, Seeds(0)).state_dict(), preprocess, LabelSet(CONTEST_CLASSES))
    model.save(folder / "model.safetensors")
    bundle = export_onnx(model)
    bundle.save(folder / "f32.leansort")
    quantize_onnx(bundle, np.stack([preprocess(path) for path in pictures[:64]])).save(folder / "int8.leansort")
    run = [sys.executable, "-m"]
    test, script = str(pictures[0].parent), [*run, "leansort", "submit"]

    def ours(name: str, out: str, *more: str) -> list[str]:
        return [*script, str(folder / name), test, "--out", str(folder / out), *more]

    result = {
        "old way": [*run, "benchmarks.old_submit", str(folder / "model.safetensors"), test, str(folder / "old.json")],
        "leansort, float": ours("f32.leansort", "a.json"),
        "leansort, int8": ours("int8.leansort", "b.json"),
    }
    if "openvino" in engines.installed_engines():
        result["leansort, int8 by openvino"] = ours("int8.leansort", "c.json", "--engine", "openvino")
    return result


def main() -> None:
    torch.set_num_threads(1)
    with atomic_io.scratch() as folder:
        given = commands(folder, photos(folder / "test", PICTURES))
        watch, taken = LoadWatch(), {name: list[float]() for name in given}
        for _ in range(ROUNDS):
            for name, command in given.items():
                started = time.perf_counter()
                subprocess.run(command, cwd=HERE.parent, check=True, capture_output=True)
                taken[name].append(time.perf_counter() - started)
        answers = [text_files.read_json(folder / name, "benchmark")["inference"] for name in ("old.json", "a.json")]
    print(watch.warning() or "nothing else ran")
    assert len(answers[0]) == len(answers[1]) == PICTURES
    rows: dict[str, Any] = {}
    for name, item in taken.items():
        value, low, high = latency.speed_ratio(np.array(taken["old way"]), np.array(item))
        rows[name] = {"seconds": item, "ratio": value, "low": low, "high": high}
        spread = ", ".join(f"{entry:.2f}" for entry in item)
        print(f"{name}: {np.mean(item):.2f} s ({spread}), {value:.1f} times (95 % {low:.1f} – {high:.1f})")
    holds = max(row["ratio"] for row in rows.values()) >= AT_LEAST
    print("holds" if holds else f"MISSED: below {AT_LEAST}")
    tree = {"claim": f">= {AT_LEAST}", "rows": rows, "holds": holds, "host": processor(), "warning": watch.warning()}
    atomic_io.write_json(HERE / "out" / "submit.json", tree)


if __name__ == "__main__":
    main()
