"""The last training of a chosen recipe, on train and val together: val has done its work and judges nothing any more.

The training loop keeps the best epoch by val, which means nothing here. So it works in a folder of its own, and what
becomes the model is the last epoch's average.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import torch

from leansort.arch.trained import TrainedModel, load_tensors
from leansort.core import store
from leansort.core.manifest import Manifest
from leansort.train import trackers
from leansort.workflows.progress import say
from leansort.workflows.recipe import Recipe
from leansort.workflows.several import Ground, Result, finished, history, keep
from leansort.workflows.train import train_model

NAME = "final"


def train_final(ground: Ground, recipe: Recipe) -> Result:
    """Train on train and val for all the recipe's epochs, and keep the last one.

    The epochs are the recipe's: a schedule that falls to zero belongs to its length. Early stopping is off.

    Raises:
        UserError: a finished final run has another recipe or other data.
    """
    own, joined, folder = unstopped(recipe), with_val(ground.manifest), ground.out / NAME
    work = folder / "unfinished"
    kept = finished(folder, own, joined)
    if kept is None:
        say(f"run {NAME}: train and val together, all {own.train.epochs} epochs")
        resume = (work / "last.safetensors").exists()
        tracking = trackers.opened(ground.tracker, f"{recipe.name}/{NAME}", folder, own.to_json(), say)
        best = train_model(own, joined, work, resume=resume, cache=ground.cache, tracking=tracking, judged=False)
        last_average(best, work).save(folder / "model.safetensors")
        store.write_json(folder / "recipe.json", own.to_json())
        store.write_text(folder / "metrics.jsonl", _unjudged(work))
        kept = keep(own, joined, folder, NAME, {})
        _all_here()
    shutil.rmtree(work, ignore_errors=True)
    return kept


def with_val(manifest: Manifest) -> Manifest:
    """The manifest with val crops in train as well; they stay in val, too, because the loop wants some to look at."""
    both = [replace(row, split="train") for row in manifest.rows if row.split != "test"]
    return replace(manifest, rows=(*both, *(row for row in manifest.rows if row.split != "train")))


def unstopped(recipe: Recipe) -> Recipe:
    """The recipe without what looks at val on the way."""
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"patience": 0, "tta": False})})


def last_average(best: TrainedModel, folder: Path) -> TrainedModel:
    """The last epoch's averaged weights in the place of the best epoch's."""
    tensors, progress = load_tensors(folder / "last.safetensors", "checkpoint")
    weights = {name: tensors[f"ema.{name}"] for name in best.weights}
    known = {name: value for name, value in best.provenance.items() if name != "val_macro_f1"}
    return replace(best, weights=weights, provenance={**known, "epoch": progress["epoch"], "trained_on": "train, val"})


def _unjudged(folder: Path) -> str:
    records = [{name: value for name, value in one.items() if not name.startswith("val_")} for one in history(folder)]
    return "".join(store.canonical_json(record) + "\n" for record in records)


def _all_here() -> None:
    """Wait until the other processes have read what this one is about to remove."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
