"""Claim: int8 of the committed TrashNet network costs at most half a point of macro-F1, whichever crops calibrate it.

Three draws of 300 train crops of TrashNet (LEANSORT_DATA, ../shared/data by default), each with and without the
hundredth that stands out, for both engines; beside them the estimators of ranges that the engines' tools bring, which
look at all crops. Macro-F1 on val, the fall against float, and the mean over the draws.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.calibration_photos import CROPS, DRAWS, OUTLIERS, ROOT, CalibrationPhotos
from benchmarks.recorded_runs import processor
from leansort.arch import trained_model
from leansort.compress.evaluation import predict_classes
from leansort.compress.quantization.calibration_outliers import select_typical
from leansort.compress.quantization.post_training import quantize_onnx, quantize_openvino
from leansort.core.bundle import Bundle
from leansort.core.writing import atomic_io
from leansort.export.onnx import export_onnx
from leansort.measure.accuracy.metrics import macro_f1

MODEL = ROOT / "models" / "trashnet"
MOST = 0.005
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
    model = trained_model.load(MODEL)
    photos = CalibrationPhotos.of(model)
    if photos is None:
        return
    bundle, classes = export_onnx(model), len(model.labels)
    before = macro_f1(photos.truth, predict_classes(bundle, photos.val), classes)
    falls: dict[str, list[float]] = {way: [] for way in WAYS}
    for draw in range(DRAWS):
        pixels = photos.draw(draw)
        for way, (quantize, fraction) in WAYS.items():
            made = quantize(bundle, pixels[select_typical(bundle, pixels, fraction)])
            falls[way].append(before - macro_f1(photos.truth, predict_classes(made, photos.val), classes))
    report(before, falls)


def report(before: float, falls: dict[str, list[float]]) -> None:
    print(f"float: macro-F1 {before:.4f} on val; fall in points, {DRAWS} draws of {CROPS} train crops")
    for way, fall in falls.items():
        print(f"{way:36s} mean {100 * np.mean(fall):5.1f}   each {' '.join(f'{100 * item:5.1f}' for item in fall)}")
    holds = all(np.mean(falls[way]) <= MOST for way in ("onnxruntime", "openvino"))
    print(f"at most {100 * MOST:g} points on either engine: {'holds' if holds else 'MISSED'}")
    tree: dict[str, Any] = {"float": before, "falls": falls, "holds": holds, "host": processor()}
    atomic_io.write_json(Path(__file__).parent / "out" / "int8_calibration.json", tree)


if __name__ == "__main__":
    main()
