"""`leansort train --seeds --folds --refit`: how far a result can be trusted, and the model that is trained on all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Literal

from leansort.core.manifest import Manifest
from leansort.core.run_folder import GroupFolder
from leansort.data.importing.class_selection import require_learnable
from leansort.data.splits import assign_folds as in_folds
from leansort.measure.confidence import MeanInterval, mean_interval
from leansort.recipe.data_section import keep_classes
from leansort.recipe.schema import Recipe
from leansort.workflows.training.refit import NAME, refit
from leansort.workflows.training.run_group import RunGroup, with_seed
from leansort.workflows.training.training_results import (
    RepeatedResult,
    RepeatedSummary,
    RepeatedTraining,
    TrainingResult,
)


@dataclass(frozen=True)
class PlannedRun:
    """One of the runs wanted.

    Attributes:
        seed: of its training.
        fold: the one that is val, from 0; None keeps the manifest's own splits.
        name: its folder.
    """

    seed: int
    fold: int | None
    name: str


def plan_runs(first: int, seeds: int | None, folds: int | None) -> list[PlannedRun]:
    """The runs wanted, all folds of a seed before the next seed; seeds count up from the recipe's."""
    runs = []
    for seed in range(first, first + (seeds or 1)):
        for fold in range(folds) if folds else [None]:
            parts = [f"seed-{seed}" if seeds else "", "" if fold is None else f"fold-{fold}"]
            runs.append(PlannedRun(seed, fold, "/".join(part for part in parts if part)))
    return runs if seeds or folds else []


def train_repeatedly(
    ground: RunGroup, recipe: Recipe, *, seeds: int | None = None, folds: int | None = None, with_refit: bool = False
) -> RepeatedResult:
    """Train a recipe several times; runs that are finished are left alone.

    Args:
        ground: where, and on what.
        recipe: the resolved recipe.
        seeds: number of seeds, from the recipe's on; None: its own alone.
        folds: number of folds that train and val are dealt into; None: the manifest's own splits.
        with_refit: then train once more, on train and val.

    Raises:
        UserError: a finished run has another recipe or other data, or there are fewer groups than folds.
    """
    repeats = GroupFolder(ground.out).repeats
    wanted, done = plan_runs(recipe.seed, seeds, folds), list[TrainingResult]()
    for run in wanted:  # before the first of them is trained
        require_learnable(with_fold(ground.manifest, folds, run.fold, recipe.seed), keep_classes(recipe.data))
    for run in wanted:
        rows = with_fold(ground.manifest, folds, run.fold, recipe.seed)
        done.append(ground.trained(with_seed(recipe, run.seed), run.name, rows))
        repeats.write(_result(wanted, done))
    result = _result(wanted, done)
    if with_refit:
        result = result.model_copy(update={"refit": refit(ground, recipe)})
        if wanted:
            repeats.write(result)
    return result


def with_fold(manifest: Manifest, count: int | None, fold: int | None, seed: int) -> Manifest:
    """The manifest with one fold as val; the folds are the same whatever seed a run is trained with."""
    if count is None or fold is None:
        return manifest
    return replace(manifest, rows=in_folds(manifest.rows, count, fold, seed))


def summarize_runs(wanted: Sequence[PlannedRun], done: Sequence[TrainingResult]) -> MeanInterval:
    """Of the folds where there are any, each the mean of its seeds; else of the seeds.

    Runs of one fold are judged by the same crops; counting each of them would make the interval too narrow.
    """
    values: dict[int, list[float]] = defaultdict(list)
    for run, result in zip(wanted, done, strict=False):
        values[run.seed if run.fold is None else run.fold].append(float(result.val_macro_f1 or 0.0))
    return mean_interval([fmean(scores) for scores in values.values()])


def _result(wanted: Sequence[PlannedRun], done: Sequence[TrainingResult]) -> RepeatedResult:
    if not wanted:
        return RepeatedResult()
    runs = [
        RepeatedTraining.model_validate({**dict(result), "fold": run.fold})
        for run, result in zip(wanted, done, strict=False)
    ]
    over: Literal["seeds", "folds"] = "seeds" if wanted[0].fold is None else "folds"
    f1, epoch = summarize_runs(wanted, done), fmean(result.epoch for result in done)
    summary = RepeatedSummary(over=over, epoch=epoch, n=f1.n, mean=f1.mean, std=f1.std, low=f1.low, high=f1.high)
    return RepeatedResult(complete=len(done) == len(wanted), runs=tuple(runs), summary=summary)


def runs_table(result: RepeatedResult, out: Path) -> str:
    """One line a run, then mean, spread and interval."""
    lines = [f"{'run':20} val macro-F1  best epoch  seconds"] if result.runs else []
    for run in result.runs:
        lines.append(f"{run.name:20} {run.val_macro_f1:12.4f} {run.epoch:11d} {run.seconds:8.1f}")
    if result.summary:
        lines += _summary(result.summary)
    if result.refit:
        epochs = result.refit.epochs
        lines.append(f"{NAME}: trained on train and val, {epochs} epochs, judged by nothing: {out / NAME}")
    return "\n".join(lines)


def _summary(summary: RepeatedSummary) -> list[str]:
    lines = [f"{'mean':20} {summary.mean:12.4f} {summary.epoch:11.1f}"]
    if summary.std is None:
        return [*lines, "a single value has no spread; give --seeds or --folds of 2 or more"]
    between = f"{summary.low:.4f} to {summary.high:.4f} (t, {summary.n} {summary.over})"
    return [*lines, f"{'std':20} {summary.std:12.4f}", f"{'95 % interval':20} {between}"]
