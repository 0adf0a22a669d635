"""Claim: int8 of the committed TrashNet network costs at most half a point of macro-F1, whichever crops calibrate it.

Three draws of 300 train crops of TrashNet (LEANSORT_DATA, ../shared/data by default), each with and without the
hundredth that stands out, for both engines; beside them the estimators of ranges that the engines' tools bring, which
look at all crops. Macro-F1 on val, the fall against float, and the mean over the draws.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from leansort.arch import trained_model
from leansort.compress.evaluation import predict_classes
from leansort.compress.quantization.calibration_outliers import select_typical
from leansort.compress.quantization.post_training import quantize_onnx, quantize_openvino
from leansort.core.bundle import Bundle
from leansort.core.provenance import host
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.export.onnx import export_onnx
from leansort.measure.accuracy.metrics import macro_f1
from leansort.workflows.data.import_data import import_data
from leansort.workflows.training.train import load_crops

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "models" / "trashnet"
DRAWS, CROPS, OUTLIERS, MOST = 3, 300, 0.01, 0.005
Quantize = Callable[..., Bundle]
WAYS: dict[str, tuple[Quantize, float]] = {
    "onnxruntime": (quantize_onnx, OUTLIERS),
    "openvino": (quantize_openvino, OUTLIERS),
    "onnxruntime, all crops": (quantize_onnx, 0.0),
    "openvino, all crops": (quantize_openvino, 0.0),
    "onnxruntime, all crops, percentile": (partial(quantize_onnx, method="percentile"), 0.0),
    "onnxruntime, all crops, entropy": (partial(quantize_onnx, method="entropy"), 0.0),
    "openvino, all crops, mean": (partial(quantize_openvino, method="mean"), 0.0),
}


def main() -> None:
    torch.set_num_threads(1)
    data = Path(os.environ.get("LEANSORT_DATA", ROOT.parent / "shared" / "data")) / "trashnet"
    if not data.exists():
        print(f"{data} is not here: not measured")
        return
    model = trained_model.load(MODEL)
    with tempfile.TemporaryDirectory() as name:
        manifest = import_data({"source": "folder", "path": data}, Path(name), seed=0)
        train, val = (load_crops(manifest, split, model.preprocess, Path(name)) for split in ("train", "val"))
        bundle, truth = export_onnx(model), np.asarray(val.labels, np.int64)
        before = macro_f1(truth, predict_classes(bundle, val), len(model.labels))
        falls: dict[str, list[float]] = {way: [] for way in WAYS}
        for draw in range(DRAWS):
            order = Seeds(draw).child("calibration").numpy().permutation(len(train.labels))[:CROPS]
            pixels = np.ascontiguousarray(np.asarray(train.pixels)[np.sort(order)])
            for way, (quantize, fraction) in WAYS.items():
                made = quantize(bundle, pixels[select_typical(bundle, pixels, fraction)])
                falls[way].append(before - macro_f1(truth, predict_classes(made, val), len(model.labels)))
    report(before, falls)


def report(before: float, falls: dict[str, list[float]]) -> None:
    print(f"float: macro-F1 {before:.4f} on val; fall in points, {DRAWS} draws of {CROPS} train crops")
    for way, fall in falls.items():
        print(f"{way:36s} mean {100 * np.mean(fall):5.1f}   each {' '.join(f'{100 * item:5.1f}' for item in fall)}")
    holds = all(np.mean(falls[way]) <= MOST for way in ("onnxruntime", "openvino"))
    print(f"at most {100 * MOST:g} points on either engine: {'holds' if holds else 'MISSED'}")
    tree: dict[str, Any] = {"float": before, "falls": falls, "holds": holds, "host": host()}
    atomic_io.write_json(Path(__file__).parent / "out" / "int8_calibration.json", tree)


if __name__ == "__main__":
    main()
