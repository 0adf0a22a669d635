"""Every format in float and in int8: what it keeps of the network, and how fast it is on its own interpreter.

One table a network: labels that agree with PyTorch's on val, largest gap of a probability, val macro-F1, latency of the
model alone, one picture, one thread, all formats in turns within one run, and the bundle's size. What a format cannot
do is a line with the reason. Int8 is calibrated on train photos of TrashNet where they are at hand (LEANSORT_DATA,
../shared/data by default), and then val is TrashNet's; else on drawn scenes, and nothing is said of macro-F1.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.engines import data_of, f1_of
from benchmarks.recorded_runs import processor
from leansort.arch import trained_model
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.compress.quantization.calibration_outliers import select_typical
from leansort.compress.quantization.post_training import (
    quantize_litert,
    quantize_ncnn,
    quantize_onnx,
    quantize_openvino,
)
from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import LeansortError
from leansort.core.writing import atomic_io
from leansort.data.loading.loader import eval_batches
from leansort.export.formats import export_to_format
from leansort.measure import engine_trial
from leansort.measure.timing import latency
from leansort.measure.timing.machine import LoadWatch
from leansort.report import markdown
from leansort.runtime import engine as engines
from leansort.runtime.predictor import softmax
from leansort.testing.sample_networks import model_of

ROOT = Path(__file__).parent.parent
NETWORK = "trashnet-lean-network"  # the float network behind the package's default model
OTHER = "mobilenetv3_large, drawn weights"
SECONDS = float(os.environ.get("LEANSORT_FORMATS_SECONDS", "3"))
BASE = "onnx float"
QUANTIZED: dict[str, Callable[[Bundle, Any], Bundle]] = {
    "onnx": quantize_onnx,
    "openvino": quantize_openvino,
    "ncnn": quantize_ncnn,
    "litert": quantize_litert,
}
NOT_OFFERED = {
    "torch int8": "a bundle in the torch format holds float weights",
    "TensorRT, Core ML, RKNN": "their graphs run on their makers' devices alone, so no export is proven",
}


def networks() -> dict[str, TrainedModel]:
    """The shipped network, and a MobileNetV3 with squeeze-and-excitation and h-swish."""
    shipped = trained_model.load(ROOT / "models" / NETWORK)
    drawn = model_of(ArchSpec(base="mobilenetv3_large", classes=len(shipped.labels)), shipped.preprocess.size)
    return {NETWORK: shipped, OTHER: drawn}


def bundles_of(model: TrainedModel, pixels: Any) -> tuple[dict[str, Bundle], dict[str, str]]:
    """The network in every format and arithmetic by name, and why it cannot be had in others."""
    made, refused = dict[str, Bundle](), dict[str, str]()
    for name in FORMATS:
        try:
            made[f"{name} float"] = export_to_format(model, name)
        except LeansortError as error:
            refused[f"{name} float"] = str(error)
    calm = pixels[select_typical(made[BASE], pixels, 0.01)]
    for name, quantize in QUANTIZED.items():
        try:
            made[f"{name} int8"] = quantize(made[BASE], calm)
        except LeansortError as error:
            refused[f"{name} int8"] = str(error)
    return made, refused | NOT_OFFERED


def rows_of(name: str, model: TrainedModel, folder: Path) -> list[dict[str, Any]]:
    pixels, val = data_of(model, folder)
    judged = np.asarray(val.pixels) if val else pixels
    made, refused = bundles_of(model, pixels)
    loaded: dict[str, engines.LoadedGraph] = {}
    for way, bundle in made.items():
        try:
            loaded[way] = engine_trial.load(bundle)
        except LeansortError as error:
            refused[way] = str(error)
    with torch.inference_mode():
        logits = trained_model.compute_logits(model.network(), model.preprocess, eval_batches(judged, 64)).numpy()
    calls: dict[str, Callable[[], object]] = {way: partial(item.run, judged[:1]) for way, item in loaded.items()}
    times = latency.time_interleaved(calls, seconds=SECONDS)
    rows = [
        {
            "network": name, "way": way, "mb": len(made[way].to_bytes()) / 1e6,
            "latency": latency.summarize_latency(way, times[way]).model_dump(mode="json"),
            "ratio": latency.speed_ratio(times[BASE], times[way]),
            "macro_f1": f1_of(item, val) if val and name == NETWORK else None,
            **closeness(logits, engines.compute_logits(item, judged)),
        }
        for way, item in loaded.items()
    ]  # fmt: skip
    return rows + [{"network": name, "way": way, "refused": reason} for way, reason in refused.items()]


def closeness(expected: Any, given: Any) -> dict[str, float]:
    first, second = softmax(expected), softmax(given)
    return {
        "agreement": float((first.argmax(1) == second.argmax(1)).mean()),
        "gap": float(np.abs(first - second).max()),
    }


def cells(row: dict[str, Any]) -> list[str]:
    if "refused" in row:
        return [row["network"], row["way"], f"refused: {row['refused']}", "", "", "", "", ""]
    ms, (ratio, low, high) = row["latency"], row["ratio"]
    return [
        row["network"], row["way"], f"{row['agreement']:.2%}", f"{row['gap']:.1e}",
        "" if row["macro_f1"] is None else f"{row['macro_f1']:.4f}",
        f"{ms['value']:.3f} ({ms['low']:.3f} – {ms['high']:.3f})", f"{ratio:.2f} ({low:.2f} – {high:.2f})",
        f"{row['mb']:.2f}",
    ]  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    watch = LoadWatch()
    with atomic_io.scratch() as folder:
        rows = [row for name, model in networks().items() for row in rows_of(name, model, folder)]
    print(watch.warning() or "nothing else ran")
    head = [
        "network", "format", "labels that agree", "largest gap", "val macro-F1", "ms, median (95 %)",
        f"times {BASE} (95 %)", "MB",
    ]  # fmt: skip
    print(markdown.table(head, [cells(row) for row in rows]))
    atomic_io.write_json(Path(__file__).parent / "out" / "formats.json", {"rows": rows, "host": processor()})


if __name__ == "__main__":
    main()
