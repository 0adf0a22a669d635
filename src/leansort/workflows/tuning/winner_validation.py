"""What a search's winner is worth: trained with several seeds, each made into its bundle, scored and timed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from leansort.arch import trained_model
from leansort.compress.evaluation import predict_classes
from leansort.core import bundle as bundles
from leansort.core.process.console import say
from leansort.core.run_folder import TrainingFolder
from leansort.data.loading.encoded_photos import encoded_val
from leansort.measure.accuracy.metrics import macro_f1_present
from leansort.measure.confidence import mean_interval
from leansort.recipe.schema import Recipe
from leansort.report import markdown
from leansort.search.objectives import Objectives
from leansort.search.search_config import SearchConfig
from leansort.workflows.compression.compress import compress
from leansort.workflows.deploy.export import export_bundle
from leansort.workflows.training.run_group import RunGroup, with_seed
from leansort.workflows.training.train import load_crops
from leansort.workflows.training.training_results import RepeatedTraining
from leansort.workflows.tuning.best_trial_result import SeedResult
from leansort.workflows.tuning.cost_evaluator import CostEvaluator
from leansort.workflows.tuning.trial_evaluation import stressed_score


def validate_seeds(
    ground: RunGroup, recipe: Recipe, runs: Sequence[RepeatedTraining], config: SearchConfig, objectives: Objectives
) -> list[SeedResult]:
    """Make, score and time the bundle of each finished run.

    Args:
        ground: where the runs are.
        recipe: the winner's.
        runs: the winner's trainings.
        config: the search's, for timing.
        objectives: its objectives and limits.

    Raises:
        LeansortError: a bundle differs from its network, or a pass failed.
    """
    shown = encoded_val(ground.manifest, recipe.seed)
    coster = CostEvaluator(
        config, recipe.target, objectives, ground.manifest.labels, shown, ground.manifest.digest, ground.out / "dry-run"
    )
    result = list[SeedResult]()
    stress, engine = config.stress_setting, recipe.target.engine_spec
    candidate = coster.candidate(recipe)
    for run in runs:
        path = _bundle(ground, with_seed(recipe, run.seed), ground.out / run.name)
        bundle = bundles.load(path)
        val = load_crops(ground.manifest, "val", bundle.meta.preprocess, ground.cache)
        truth, classes = np.asarray(val.labels), predict_classes(bundle, val, engine)
        costs = coster.of_bundle(bundle, candidate)
        assert run.val_macro_f1 is not None  # val was not trained on
        result.append(
            SeedResult(
                name=run.name,
                bundle=str(path),
                trained_f1=run.val_macro_f1,
                macro_f1=macro_f1_present(truth, classes, len(ground.manifest.labels)),
                costs=costs.values,
                measurements=costs.measurements,
                note=costs.note,
                stress=stressed_score(bundle, stress, ground.manifest, ground.cache, engine) if stress else None,
            )
        )
    return result


def _bundle(ground: RunGroup, recipe: Recipe, folder: Path) -> Path:
    say(f"bundle of {folder.name}:")
    model = trained_model.load(folder)
    if recipe.compress.steps:
        compress(recipe, model, ground.manifest, TrainingFolder(folder).compression.path, cache=ground.cache)
        return TrainingFolder(folder).compression.bundle
    path = TrainingFolder(folder).bundle
    export_bundle(
        model,
        ground.manifest,
        path,
        name=recipe.name,
        graph_format=recipe.export.format,
        target_error=recipe.export.target_error,
        unknown=recipe.export.unknown,
        unknown_share=recipe.export.unknown_share,
    )
    return path


def seeds_table(seed_results: Sequence[SeedResult], names: Sequence[str]) -> str:
    """A line for each seed, then means with their spread.

    Args:
        seed_results: of the seeds.
        names: of the costs to show, as far as every seed has them.
    """
    costs = [name for name in names if all(name in seed_result.costs for seed_result in seed_results)]
    stressed = [seed_result.stress.macro_f1.value for seed_result in seed_results if seed_result.stress]
    rows = [
        [
            seed_result.name,
            f"{seed_result.trained_f1:.4f}",
            f"{seed_result.macro_f1:.4f}",
            *([f"{seed_result.stress.macro_f1.value:.4f}"] if seed_result.stress else []),
            *(f"{seed_result.costs[name]:.4g}" for name in costs),
            seed_result.note,
        ]
        for seed_result in seed_results
    ]
    means_of_f1 = [_mean_text([seed_result.macro_f1 for seed_result in seed_results])]
    means_of_f1 += [_mean_text(stressed)] if stressed else []
    means = [f"{fmean(seed_result.costs[name] for seed_result in seed_results):.4g}" for name in costs]
    rows.append(
        ["mean", f"{fmean(seed_result.trained_f1 for seed_result in seed_results):.4f}", *means_of_f1, *means, ""]
    )
    under_stress = ["under stress"] if stressed else []
    return markdown.table(["run", "trained", "bundle's macro-F1", *under_stress, *costs, ""], rows)


def _mean_text(values: Sequence[float]) -> str:
    f1 = mean_interval(values)
    return f"{f1.mean:.4f}" + ("" if f1.std is None else f" ± {f1.std:.4f}")
