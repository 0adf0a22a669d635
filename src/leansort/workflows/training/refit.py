"""The last training of a chosen recipe, on train and val together: val has done its work and judges nothing any more.

The training loop keeps the best epoch by val, which means nothing here. So it works in a folder of its own, and what
becomes the model is the last epoch's average.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import torch

from leansort.arch.trained_model import TrainedModel, load_tensors
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.run_folder import TrainingFolder
from leansort.recipe.schema import Recipe
from leansort.train.callbacks import EpochRecord, WithoutValScores
from leansort.workflows.training.run_group import RunGroup, read_history, read_result, write_result
from leansort.workflows.training.train import run_callbacks, train_model
from leansort.workflows.training.training_results import TrainingResult

NAME = "refit"


def refit(ground: RunGroup, recipe: Recipe) -> TrainingResult:
    """Train on train and val for all the recipe's epochs, and keep the last one.

    The epochs are the recipe's: a schedule that falls to zero belongs to its length. Early stopping is off.

    Raises:
        UserError: a finished refit has another recipe or other data.
    """
    own, joined, folder = without_early_stopping(recipe), with_val(ground.manifest), ground.out / NAME
    files = TrainingFolder(folder)
    work = files.unfinished
    kept = read_result(folder, own, joined)
    if kept is None:
        say(f"run {NAME}: train and val together, all {own.train.epochs} epochs")
        resume = TrainingFolder(work).checkpoint.exists()
        followers = run_callbacks(own, f"{recipe.name}/{NAME}", folder, ground.tracker)
        callbacks = [WithoutValScores(follower) for follower in followers]
        best = train_model(own, joined, work, resume=resume, cache=ground.cache, callbacks=callbacks)
        last_average(best, work).save(files.model)
        files.recipe.write(own.to_json())
        files.history.write(_unjudged(work))
        kept = write_result(own, joined, folder, NAME)
        _all_here()
    shutil.rmtree(work, ignore_errors=True)
    return kept


def with_val(manifest: Manifest) -> Manifest:
    """The manifest with val crops in train as well; they stay in val, too, because the loop wants some to look at."""
    both = [replace(row, split="train") for row in manifest.rows if row.split != "test"]
    return replace(manifest, rows=(*both, *(row for row in manifest.rows if row.split != "train")))


def without_early_stopping(recipe: Recipe) -> Recipe:
    """The recipe without what looks at val on the way."""
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"patience": 0, "tta": False})})


def last_average(best: TrainedModel, folder: Path) -> TrainedModel:
    """The last epoch's averaged weights in the place of the best epoch's."""
    tensors, progress = load_tensors(TrainingFolder(folder).checkpoint, "checkpoint")
    weights = {name: tensors[f"ema.{name}"] for name in best.weights}
    known = {name: value for name, value in best.provenance.items() if name != "val_macro_f1"}
    return replace(best, weights=weights, provenance={**known, "epoch": progress["epoch"], "trained_on": "train, val"})


def _unjudged(folder: Path) -> list[EpochRecord]:
    return [
        {name: value for name, value in item.items() if not name.startswith("val_")} for item in read_history(folder)
    ]


def _all_here() -> None:
    """Wait until the other processes have read what this one is about to remove."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
