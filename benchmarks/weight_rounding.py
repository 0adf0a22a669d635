"""Claim: rounding weights for their layers' outputs changes logits by at most a quarter of what nearest steps change.

The pruned front of EfficientNet-Lite0 (`models/trashnet-lean-network`) in int8 with seven bits of weights, on three
draws of 300 train crops of TrashNet (LEANSORT_DATA, ../shared/data by default): by ONNX Runtime's nearest steps, by
ours, and beside them by OpenVINO's NNCF, which corrects biases. For each the fall of macro-F1 on val against float, and
the mean square of what it changes in val's logits over the mean square of the logits.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.calibration_photos import CROPS, DRAWS, OUTLIERS, ROOT, CalibrationPhotos
from benchmarks.int8_calibration import Quantize
from benchmarks.recorded_runs import processor
from leansort.arch import trained_model
from leansort.compress.evaluation import artifact_logits
from leansort.compress.quantization.calibration_outliers import select_typical
from leansort.compress.quantization.post_training import quantize_onnx, quantize_openvino
from leansort.core.writing import atomic_io
from leansort.export.onnx import export_onnx
from leansort.measure.accuracy.metrics import macro_f1

MODEL = ROOT / "models" / "trashnet-lean-network"
NEAREST, OUTPUTS = "nearest steps", "for the outputs"
WAYS: dict[str, Quantize] = {
    NEAREST: partial(quantize_onnx, rounding="nearest"),
    OUTPUTS: partial(quantize_onnx, rounding="outputs"),
    "NNCF": quantize_openvino,
}
MOST = 0.25  # of the change by the nearest steps


def main() -> None:
    torch.set_num_threads(1)
    model = trained_model.load(MODEL)
    photos = CalibrationPhotos.of(model)
    if photos is None:
        return
    bundle, truth, classes = export_onnx(model), photos.truth, len(model.labels)
    exact = artifact_logits(bundle, photos.val)
    before = macro_f1(truth, exact.argmax(1), classes)
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for draw in range(DRAWS):
        pixels = photos.draw(draw)
        pixels = pixels[select_typical(bundle, pixels, OUTLIERS)]
        for way, quantize in WAYS.items():
            logits = artifact_logits(quantize(bundle, pixels), photos.val)
            change = float(np.square(logits - exact).mean() / np.square(exact).mean())
            found[way].append((before - macro_f1(truth, logits.argmax(1), classes), change))
    report(before, found)


def report(before: float, found: dict[str, list[tuple[float, float]]]) -> None:
    print(f"float: macro-F1 {before:.4f} on val; {DRAWS} draws of {CROPS} train crops, 7 bits of weights")
    for way, each in found.items():
        falls, changes = np.array(each).T
        shown = " ".join(f"{100 * fall:4.1f}" for fall in falls)
        print(f"{way:16s} fall, points: mean {100 * falls.mean():4.1f}, each {shown}", end="   ")
        print(f"logits change by {changes.mean():.4f}")
    ratios = [ours[1] / theirs[1] for ours, theirs in zip(found[OUTPUTS], found[NEAREST], strict=True)]
    holds = float(np.mean(ratios)) <= MOST
    print(
        f"change in logits, ours over nearest: {np.mean(ratios):.3f} ({min(ratios):.3f} - {max(ratios):.3f}), "
        f"at most {MOST:g}: {'holds' if holds else 'MISSED'}"
    )
    tree: dict[str, Any] = {"float": before, "found": found, "ratios": ratios, "holds": holds, "host": processor()}
    atomic_io.write_json(Path(__file__).parent / "out" / "weight_rounding.json", tree)


if __name__ == "__main__":
    main()
