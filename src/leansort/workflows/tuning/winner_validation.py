"""What a search's winner is worth: trained with several seeds, each made into its bundle, scored and timed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from leansort.arch import trained_model
from leansort.compress.evaluation import predict_classes
from leansort.core import bundle as bundles
from leansort.core.process.console import say
from leansort.measure.accuracy.metrics import macro_f1_present
from leansort.measure.confidence import mean_interval
from leansort.measure.measurement import Measurement
from leansort.recipe.schema import Recipe
from leansort.report import markdown
from leansort.search.objectives import Objectives
from leansort.search.search_config import SearchConfig
from leansort.workflows.compression.compress import compress
from leansort.workflows.deploy.export import export_bundle
from leansort.workflows.training.run_group import RunGroup, with_seed
from leansort.workflows.training.train import load_crops
from leansort.workflows.tuning.cost_evaluator import CostEvaluator
from leansort.workflows.tuning.study_runner import encoded_val_images


@dataclass(frozen=True)
class SeedResult:
    """One seed's bundle.

    Attributes:
        name: of the run.
        bundle: its file.
        trained_f1: macro-F1 on val of the network as it was trained.
        macro_f1: of the bundle, by the search's engine.
        costs: of the bundle.
        measurements: of those that were timed.
        note: where other work disturbed the timing.
    """

    name: str
    bundle: str
    trained_f1: float
    macro_f1: float
    costs: dict[str, float]
    measurements: tuple[Measurement, ...]
    note: str


def validate_seeds(
    ground: RunGroup, recipe: Recipe, runs: list[dict[str, Any]], config: SearchConfig, objectives: Objectives
) -> list[SeedResult]:
    """Make, score and time the bundle of each finished run.

    Args:
        ground: where the runs are.
        recipe: the winner's.
        runs: of `repeat.json`.
        config: the search's, for timing.
        objectives: its objectives and limits.

    Raises:
        LeansortError: a bundle differs from its network, or a pass failed.
    """
    shown = encoded_val_images(ground.manifest, recipe.seed)
    coster = CostEvaluator(
        config, recipe.target, objectives, ground.manifest.labels, shown, ground.manifest.digest, ground.out / "dry-run"
    )
    val = load_crops(ground.manifest, "val", recipe.preprocess, ground.cache)
    truth, result = np.asarray(val.labels), []
    for run in runs:
        path = _bundle(ground, with_seed(recipe, run["seed"]), ground.out / run["name"])
        bundle = bundles.load(path)
        classes = predict_classes(bundle, val, recipe.target.engine_spec)
        costs = coster.of_bundle(bundle, recipe)
        result.append(
            SeedResult(
                run["name"],
                str(path),
                run["val_macro_f1"],
                macro_f1_present(truth, classes, len(ground.manifest.labels)),
                costs.values,
                costs.measurements,
                costs.note,
            )
        )
    return result


def _bundle(ground: RunGroup, recipe: Recipe, folder: Path) -> Path:
    say(f"bundle of {folder.name}:")
    model = trained_model.load(folder)
    if recipe.compress.steps:
        compress(recipe, model, ground.manifest, folder / "compress", cache=ground.cache)
        return folder / "compress" / "model.leansort"
    path = folder / "model.leansort"
    export_bundle(
        model,
        ground.manifest,
        path,
        name=recipe.name,
        graph_format=recipe.export.format,
        target_error=recipe.export.target_error,
    )
    return path


def seeds_table(seed_results: list[SeedResult], objectives: Objectives) -> str:
    """A line for each seed, then means with their spread."""
    costs = [
        name
        for name in (*objectives.costs, *objectives.limits)
        if all(name in seed_result.costs for seed_result in seed_results)
    ]
    costs = list(dict.fromkeys(costs))
    rows = [
        [
            seed_result.name,
            f"{seed_result.trained_f1:.4f}",
            f"{seed_result.macro_f1:.4f}",
            *(f"{seed_result.costs[name]:.4g}" for name in costs),
            seed_result.note,
        ]
        for seed_result in seed_results
    ]
    f1 = mean_interval([seed_result.macro_f1 for seed_result in seed_results])
    text = f"{f1.mean:.4f}" + ("" if f1.std is None else f" ± {f1.std:.4f}")
    means = [f"{fmean(seed_result.costs[name] for seed_result in seed_results):.4g}" for name in costs]
    rows.append(["mean", f"{fmean(seed_result.trained_f1 for seed_result in seed_results):.4f}", text, *means, ""])
    return markdown.table(["run", "trained", "bundle's macro-F1", *costs, ""], rows)


def seeds_to_json(seed_results: list[SeedResult]) -> list[dict[str, Any]]:
    """As plain data."""
    return [TypeAdapter(SeedResult).dump_python(seed_result, mode="json") for seed_result in seed_results]
