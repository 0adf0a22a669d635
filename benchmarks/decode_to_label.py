"""Claim: decode-to-label, one thread: 5 times the old way with MnasNet, 15 times with the committed network in int8.

Same network, same input size, same JPEGs; the old way (Pillow, PyTorch eager, float, batch 1) and the engines of a
robot are timed in turns within one run: in float, in OpenVINO's bf16, and in int8 as ONNX Runtime's quantizer writes
it; the committed network also pruned, as in `trashnet-compressed`. The pictures are 512x384, drawn and
compressed here, so that the claim can be checked without any data set; they calibrate int8 too, for time alone.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.old_way import OldWay
from benchmarks.pictures import photos
from benchmarks.recorded_runs import processor
from leansort.arch import trained_model
from leansort.arch.build import build
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.compress.quantization.post_training import quantize_onnx
from leansort.contest.contest_classes import CONTEST_CLASSES
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.export.onnx import export_onnx
from leansort.measure.timing import latency
from leansort.measure.timing.machine import LoadWatch
from leansort.runtime import engine as engines
from leansort.runtime.predictor import Classifier
from leansort.runtime.shipped_models import find_bundle

HERE = Path(__file__).parent
COMMITTED = HERE.parent / "models" / "trashnet"
COMPRESSED = find_bundle("trashnet-compressed")
FLOAT_AT_LEAST, INT8_AT_LEAST = 5.0, 15.0
# Arithmetic by name: whether the graph is quantized, and the engine.
WAYS = {
    "onnxruntime f32": (False, "onnxruntime"),
    "openvino f32": (False, "openvino"),
    "openvino bf16": (False, "openvino:precision=bf16"),
    "onnxruntime int8": (True, "onnxruntime"),
    "onnxruntime's int8 graph by openvino": (True, "openvino"),
}
PRUNED = "pruned, onnxruntime's int8 graph by openvino"


def mnasnet(size: int) -> TrainedModel:
    spec = ArchSpec(classes=6)
    return TrainedModel(spec, build(spec, Seeds(0)).state_dict(), Preprocess(size=size), LabelSet(CONTEST_CLASSES))


def compare(
    title: str, model: TrainedModel, seconds: float, paths: list[Path], pruned: Bundle | None = None
) -> dict[str, Any]:
    """Time the old way and every way of ours with one network, and with what pruning left of it."""
    graph = export_onnx(model)
    small = quantize_onnx(graph, np.stack([model.preprocess(path) for path in paths]))
    calls = {"old way": partial(_next, OldWay(model).predict, itertools.cycle(paths))}
    for name, (quantized, engine) in WAYS.items():
        if engines.parse_engine(engine)[0] in engines.installed_engines():
            bundle = small if quantized else graph
            ours = Classifier(bundle, engines.load_engine(bundle, engine))
            calls[name] = partial(_next, ours.predict, itertools.cycle(paths))
    if pruned and "openvino" in engines.installed_engines():
        calls[PRUNED] = partial(
            _next, Classifier(pruned, engines.load_engine(pruned, "openvino")).predict, itertools.cycle(paths)
        )
    times = latency.time_interleaved(calls, seconds=seconds)
    result = {name: latency.speed_ratio(times["old way"], taken) for name, taken in times.items()}
    for name, (ratio, low, high) in result.items():
        ms = 1e3 * float(np.median(times[name]))
        print(f"{title}, {name}: {ms:.2f} ms, {ratio:.2f} times (95 % {low:.2f} – {high:.2f})")
    return {"network": title, "ms": {name: 1e3 * float(np.median(taken)) for name, taken in times.items()},
            "ratios": result}  # fmt: skip


def best(row: dict[str, Any], *, quantized: bool) -> float:
    """The highest ratio among the ways of this arithmetic."""
    names = [name for name, (WAY, _) in WAYS.items() if quantized == WAY] + [PRUNED] * quantized
    return max(float(row["ratios"][name][0]) for name in names if name in row["ratios"])


def _next(predict: Callable[[Path], object], paths: Iterator[Path]) -> object:
    return predict(next(paths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    seconds = parser.parse_args().seconds
    torch.set_num_threads(1)
    watch = LoadWatch()
    with atomic_io.scratch() as folder:
        paths = photos(folder / "photos", 64)
        rows = [compare(f"MnasNet {size} px", mnasnet(size), seconds, paths) for size in (128, 224)]
        rows.append(compare("models/trashnet", trained_model.load(COMMITTED), seconds, paths, bundles.load(COMPRESSED)))
    print(watch.warning() or "nothing else ran")
    reached = {"float": best(rows[0], quantized=False), "int8": best(rows[2], quantized=True)}
    for name, least in (("float", FLOAT_AT_LEAST), ("int8", INT8_AT_LEAST)):
        verdict = "holds" if reached[name] >= least else f"MISSED: below {least}"
        print(f"{name}: {reached[name]:.2f} times, {verdict}")
    holds = reached["float"] >= FLOAT_AT_LEAST and reached["int8"] >= INT8_AT_LEAST
    tree = {"rows": rows, "reached": reached, "holds": holds, "host": processor()}
    atomic_io.write_json(HERE / "out" / "decode_to_label.json", tree)


if __name__ == "__main__":
    main()
