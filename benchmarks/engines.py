"""Every engine and arithmetic on the committed networks: latency of the network alone, one picture, one thread.

One table, all in turns within one run, ratios to ONNX Runtime in float. int8 is calibrated on train photos of TrashNet
where they are at hand (LEANSORT_DATA, ../shared/data by default), and then macro-F1 on val is told too; else on drawn
scenes, for time alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.pictures import photos
from benchmarks.recorded_runs import processor
from leansort.arch import trained_model
from leansort.arch.trained_model import TrainedModel
from leansort.compress.quantization.calibration_outliers import select_typical
from leansort.compress.quantization.post_training import quantize_onnx, quantize_openvino
from leansort.core.bundle import Bundle, load
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.data.loading.crops import Crops
from leansort.export.formats import export_to_format
from leansort.measure.accuracy.metrics import macro_f1
from leansort.measure.timing import latency
from leansort.measure.timing.machine import LoadWatch
from leansort.report import markdown
from leansort.runtime import engine as engines
from leansort.runtime.engine import LoadedGraph
from leansort.runtime.shipped_models import find_bundle
from leansort.workflows.data.import_data import import_data
from leansort.workflows.training.train import load_crops

ROOT = Path(__file__).parent.parent
MODELS = ("trashnet", "trashnet-small")
BASE = "onnxruntime f32"
CALIBRATION, SECONDS = 300, 3.0
# Arithmetic by name: the bundle's format, whether it is quantized, the engine, and the engine's settings.
WAYS: dict[str, tuple[str, bool, str, dict[str, Any]]] = {
    "torch f32": ("torch", False, "torch", {}),
    "torchscript f32": ("torch", False, "torchscript", {}),
    BASE: ("onnx", False, "onnxruntime", {}),
    "openvino f32": ("openvino", False, "openvino", {}),
    "openvino bf16": ("openvino", False, "openvino", {"precision": "bf16"}),
    "onnxruntime int8": ("onnx", True, "onnxruntime", {}),
    "openvino int8": ("openvino", True, "openvino", {}),
    "onnxruntime's int8 graph by openvino": ("onnx", True, "openvino", {}),
}


# What was compressed of a network, where that is committed, too; by OpenVINO.
COMPRESSED = {"trashnet": find_bundle("trashnet-compressed")}


def bundles_of(model: TrainedModel, pixels: Any) -> dict[tuple[str, bool], Bundle]:
    """The network in every format, and quantized for both engines."""
    result = {(item, False): export_to_format(model, item) for item in ("onnx", "openvino", "torch")}
    graph = result["onnx", False]
    calm = pixels[select_typical(graph, pixels, 0.01)]
    return result | {("onnx", True): quantize_onnx(graph, calm), ("openvino", True): quantize_openvino(graph, calm)}


def data_of(model: TrainedModel, folder: Path) -> tuple[Any, Crops | None]:
    """What calibrates, and the val crops where TrashNet is at hand."""
    data = Path(os.environ.get("LEANSORT_DATA", ROOT.parent / "shared" / "data")) / "trashnet"
    if not data.exists():
        return np.stack([model.preprocess(path) for path in photos(folder / "photos", 64)]), None
    out = folder / model.spec.base
    manifest = import_data({"source": "folder", "path": data}, out, seed=0)
    train, val = (load_crops(manifest, split, model.preprocess, out) for split in ("train", "val"))
    order = Seeds(0).child("calibration").numpy().permutation(len(train.labels))[:CALIBRATION]
    return np.ascontiguousarray(np.asarray(train.pixels)[np.sort(order)]), val


def rows_of(name: str, folder: Path) -> list[dict[str, Any]]:
    model = trained_model.load(ROOT / "models" / name)
    pixels, val = data_of(model, folder)
    bundles = bundles_of(model, pixels)
    loaded = {
        way: engines.load_engine(bundles[graph, quantized], engine, threads=1, **settings)
        for way, (graph, quantized, engine, settings) in WAYS.items()
    }
    sizes = {way: len(bundles[WAYS[way][:2]].to_bytes()) / 1e6 for way in WAYS}
    if name in COMPRESSED:
        way, bundle = "pruned, onnxruntime's int8 graph by openvino", load(COMPRESSED[name])
        loaded[way], sizes[way] = engines.load_engine(bundle, "openvino", threads=1), len(bundle.to_bytes()) / 1e6
    calls: dict[str, Callable[[], object]] = {way: partial(item.run, pixels[:1]) for way, item in loaded.items()}
    times = latency.time_interleaved(calls, seconds=SECONDS)
    return [
        {
            "network": name, "way": way, "mb": sizes[way],
            "latency": latency.summarize_latency(way, taken).model_dump(mode="json"),
            "ratio": latency.speed_ratio(times[BASE], taken),
            "macro_f1": f1_of(loaded[way], val) if val else None,
        }
        for way, taken in times.items()
    ]  # fmt: skip


def f1_of(engine: LoadedGraph, val: Crops) -> float:
    text = engines.compute_logits(engine, np.asarray(val.pixels)).argmax(1)
    return macro_f1(np.asarray(val.labels, np.int64), text, int(max(val.labels)) + 1)


def cells(row: dict[str, Any]) -> list[str]:
    ms, (ratio, low, high) = row["latency"], row["ratio"]
    between = f"{ms['value']:.3f} ({ms['low']:.3f} – {ms['high']:.3f})"
    f1 = "" if row["macro_f1"] is None else f"{row['macro_f1']:.4f}"
    times = f"{ratio:.2f} ({low:.2f} – {high:.2f})"
    return [row["network"], row["way"], between, f"{ms['percentiles']['p99']:.3f}", times, f"{row['mb']:.2f}", f1]


def main() -> None:
    torch.set_num_threads(1)
    watch = LoadWatch()
    with atomic_io.scratch() as folder:
        rows = [row for name in MODELS for row in rows_of(name, folder)]
    print(watch.warning() or "nothing else ran")
    head = ["network", "engine", "ms, median (95 %)", "p99", f"times {BASE} (95 %)", "MB", "val macro-F1"]
    print(markdown.table(head, [cells(row) for row in rows]))
    atomic_io.write_json(Path(__file__).parent / "out" / "engines.json", {"rows": rows, "host": processor()})


if __name__ == "__main__":
    main()
