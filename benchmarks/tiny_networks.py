"""Claim: rep_v4 and rep_next, taught by one teacher, beat lean_v4 at no more than its latency in int8.

Networks below half a million weights, each trained with the same seeds by the recipe trashnet-small, cut short, from
the same teacher on TrashNet (LEANSORT_DATA, ../shared/data by default). They are timed as robots run them: in int8, one
picture, one thread, at 160 px, all in turns. Macro-F1 on val is judged in float, and told in int8 for each engine:
ONNX Runtime with seven bits of weights, which are right on every processor. A broken run goes on where it was;
another teacher, size or length of training is another folder below benchmarks/out/tiny_networks.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.recorded_runs import processor
from leansort.arch import trained_model
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.compress.evaluation import predict_classes
from leansort.compress.quantization.calibration_outliers import select_typical
from leansort.compress.quantization.post_training import quantize_onnx, quantize_openvino
from leansort.core.bundle import Bundle
from leansort.core.manifest import Manifest
from leansort.core.run_folder import TrainingFolder
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.data.loading.crops import Crops
from leansort.export.onnx import export_onnx
from leansort.measure.accuracy.metrics import macro_f1
from leansort.measure.confidence import mean_interval
from leansort.measure.timing import latency, timing_lock
from leansort.measure.timing.machine import LoadWatch
from leansort.recipe.load import load_recipe
from leansort.recipe.schema import Recipe
from leansort.report import markdown
from leansort.testing.sample_networks import model_of
from leansort.workflows.data.import_data import import_data
from leansort.workflows.training.train import load_crops, train_model

ROOT = Path(__file__).parent.parent
OUT = Path(__file__).parent / "out" / "tiny_networks"
BASE = "lean_v4 1.2"
NETWORKS = {BASE: ("lean_v4", 1.2), "rep_v4": ("rep_v4", 1.0), "rep_next": ("rep_next", 1.0)}
CLAIMED = ("rep_v4", "rep_next")
CROPS, OUTLIERS, TIMED_SIZE, SECONDS = 300, 0.01, 160, 3.0
MOST_WEIGHTS, EQUAL = 500_000, 1.05  # a ratio of latencies that is no difference
QUANTIZE: dict[str, Callable[..., Bundle]] = {
    "openvino": quantize_openvino,
    "onnxruntime": quantize_onnx,
}
Scores = dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """What all networks share: the teacher, the data and the length of training."""

    manifest: Manifest
    options: argparse.Namespace
    folder: Path

    def recipe(self, name: str, seed: int) -> Recipe:
        """The recipe trashnet-small with another network, cut short."""
        base, width = NETWORKS[name]
        options = self.options
        changes = [
            f"arch.base={base}", f"arch.width={width}", f"seed={seed}", f"distill.teachers=[{options.teacher}]",
            f"preprocess.size={options.size}", f"augment.views={options.views}", f"train.epochs={options.epochs}",
            f"train.warmup={min(5.0, options.epochs / 8)}", f"train.ema={options.ema}", "train.workers=0",
            f"train.threads={options.threads}",
        ]  # fmt: skip
        return load_recipe("trashnet-small", changes)

    def scores(self, name: str, seed: int) -> Scores:
        """Macro-F1 on val of one trained network: in float, and in int8 by each engine; kept, and not done again."""
        kept = self.folder / f"{name.replace(' ', '-')}-{seed}.json"
        if not kept.exists():
            recipe, run = self.recipe(name, seed), self.folder / kept.stem
            resume = TrainingFolder(run).checkpoint.exists()
            model = train_model(recipe, self.manifest, run, resume=resume, cache=OUT / "cache")
            crops = {
                part: load_crops(self.manifest, part, recipe.preprocess, OUT / "cache") for part in ("train", "val")
            }
            atomic_io.write_json(kept, _scores(model, crops["train"], crops["val"]))
        result: Scores = json.loads(kept.read_text())
        print(
            f"{name:12s} seed {seed}  " + "  ".join(f"{key} {value:.4f}" for key, value in result.items()), flush=True
        )
        return result


def _scores(model: TrainedModel, train: Crops, val: Crops) -> Scores:
    score = partial(macro_f1, np.asarray(val.labels, np.int64), classes=len(model.labels))
    pixels = _calibrating(train)
    return {"float": score(predict_classes(model, val))} | {
        engine: score(predict_classes(bundle, val, engine)) for engine, bundle in int8(model, pixels).items()
    }


def _calibrating(crops: Crops) -> Any:
    order = Seeds(0).child("calibration").numpy().permutation(len(crops.labels))[:CROPS]
    return np.ascontiguousarray(np.asarray(crops.pixels)[np.sort(order)])


def int8(model: TrainedModel, pixels: Any) -> dict[str, Bundle]:
    """The bundle for each engine."""
    bundle = export_onnx(model)
    chosen = pixels[select_typical(bundle, pixels, OUTLIERS)]
    return {engine: quantize(bundle, chosen) for engine, quantize in QUANTIZE.items()}


def time_networks(seconds: float) -> tuple[dict[str, dict[str, Any]], str]:
    """Deployed weights, multiply-adds and latencies in ms of every network; and what disturbed them.

    Weights change no latency, so these are drawn ones, and noise calibrates.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (32, TIMED_SIZE, TIMED_SIZE, 3)).astype(np.uint8)
    bundles = {
        name: int8(model_of(ArchSpec(base=base, width=width, classes=6), TIMED_SIZE), pixels)
        for name, (base, width) in NETWORKS.items()
    }
    calls = {
        f"{name}/{engine}": latency.call(bundle, engine)
        for name, made in bundles.items()
        for engine, bundle in made.items()
    }
    with timing_lock.exclusive_timing():
        watch = LoadWatch()
        times = latency.time_interleaved(calls, seconds=seconds)
    costs = {
        name: {"parameters": made["onnxruntime"].meta.parameters, "macs": made["onnxruntime"].meta.macs}
        | {engine: 1e3 * float(np.median(times[f"{name}/{engine}"])) for engine in made}
        for name, made in bundles.items()
    }
    return costs, watch.warning()


def ratios(costs: Mapping[str, Mapping[str, float]], name: str) -> dict[str, float]:
    """Latency of a network over that of lean_v4, by engine."""
    return {engine: costs[name][engine] / costs[BASE][engine] for engine in QUANTIZE}


def report(costs: dict[str, dict[str, Any]], numbers: dict[str, list[Scores]], warning: str) -> dict[str, bool]:
    """Print the table and a verdict on each network; return the verdicts."""
    rows, verdicts, lines = [], dict[str, bool](), list[str]()
    whole = {name: [item["float"] for item in scores] for name, scores in numbers.items()}
    for name, scores in numbers.items():
        cost, faster = costs[name], ratios(costs, name)
        row = [name, f"{cost['parameters']:,}", f"{cost['macs'] / 1e6:.1f} M"]
        row += [f"{cost[engine]:.3f} ({faster[engine]:.2f})" for engine in QUANTIZE]
        rows.append(row + [_spread([item[way] for item in scores]) for way in ("float", *QUANTIZE)])
        if name != BASE:
            gain = mean_interval([mine - its for mine, its in zip(whole[name], whole[BASE], strict=True)])
            fits = cost["parameters"] <= MOST_WEIGHTS and max(faster.values()) <= EQUAL
            verdicts[name] = fits and gain.mean > 0
            sure = "within what seeds differ by" if gain.verdict == "not told apart" else "more than seeds differ by"
            lines.append(
                f"{name}: {100 * gain.mean:+.1f} points of macro-F1 ({sure}) at {max(faster.values()):.2f} "
                f"times the latency and {cost['parameters']:,} weights: {'holds' if verdicts[name] else 'MISSED'}"
            )
    heads = ["network", "weights", "MACs", "OpenVINO, ms", "ONNX Runtime, ms", "macro-F1"]
    print(markdown.table([*heads, *(f"int8, {engine}" for engine in QUANTIZE)], rows))
    print("\n".join(lines + ([warning] if warning else [])))
    return verdicts


def _spread(values: list[float]) -> str:
    result = mean_interval(values)
    return f"{result.mean:.4f}" + (f" ± {result.std:.4f}" if result.std is not None else "")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, default=ROOT / "models" / "trashnet", help="folder of the teacher")
    parser.add_argument("--epochs", type=int, default=30, help="of each training; the recipe has 90")
    parser.add_argument("--size", type=int, default=128, help="side of the crops in training and on val")
    parser.add_argument("--views", type=int, default=10, help="ways in which the teacher looks at each crop")
    parser.add_argument("--ema", type=float, default=0.99, help="of the weights; a short training needs a short one")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that each latency is measured for")
    return parser.parse_args()


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    data = Path(os.environ.get("LEANSORT_DATA", ROOT.parent / "shared" / "data")) / "trashnet"
    if not data.exists():
        print(f"{data} is not here: not measured")
        return
    options.teacher = options.teacher.resolve()
    taught_by = trained_model.load(options.teacher)
    setting = [options.epochs, options.size, options.views, options.ema, atomic_io.sha256(taught_by.to_bytes())]
    manifest = import_data({"source": "folder", "path": data}, OUT / "data", seed=0)
    comparison = Comparison(manifest, options, OUT / atomic_io.digest(setting)[:12])
    numbers: dict[str, list[Scores]] = {name: [] for name in NETWORKS}
    for seed in range(options.seeds):
        for name in NETWORKS:
            numbers[name].append(comparison.scores(name, seed))
    costs, warning = time_networks(options.seconds)
    verdicts = report(costs, numbers, warning)
    holds = all(verdicts[name] for name in CLAIMED)
    print(f"{' and '.join(CLAIMED)} beat {BASE} at no more than its latency: {'holds' if holds else 'MISSED'}")
    tree = {
        "costs": costs,
        "scores": numbers,
        "verdicts": verdicts,
        "holds": holds,
        "warning": warning,
        "host": processor(),
    }
    atomic_io.write_json(Path(__file__).parent / "out" / "tiny_networks.json", tree)


if __name__ == "__main__":
    main()
