"""Train a recipe without each class in turn, and see whether the network tells that it does not know that class."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from leansort.arch import trained_model
from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.run_folder import GroupFolder, TrainingFolder
from leansort.data.loading.crops import Crops
from leansort.export.distance_graph import MOST_CROPS
from leansort.measure.accuracy.unknowns import score_method
from leansort.recipe.schema import Recipe
from leansort.workflows.leave_out.class_scores import HALF_WAY, class_scores
from leansort.workflows.leave_out.leave_out_result import LeaveOutResult, LeftOutClass, leave_out_table
from leansort.workflows.training.run_group import RunGroup
from leansort.workflows.training.train import load_crops
from leansort.workflows.training.training_results import TrainingResult

FEWEST = 3  # classes, of which two are left


def leave_out(ground: RunGroup, recipe: Recipe) -> LeaveOutResult:
    """Leave out each class that has val photos; classes that are done are left alone.

    `leave-out.json` and `leave-out.md` are written after every class.

    Args:
        ground: where, and on what.
        recipe: of every training.

    Raises:
        UserError: there are fewer than three classes, or a finished training has another recipe or other data.
    """
    names, counts = ground.manifest.labels.names, ground.manifest.counts("val")
    if len(names) < FEWEST:
        raise UserError(f"leave-out: need {FEWEST} classes or more, so that two are left; got {', '.join(names)}")
    taken = [at for at in range(len(names)) if counts[at]]
    notes = tuple(f"{name} has no val photo and was not left out" for at, name in enumerate(names) if not counts[at])
    done: list[LeftOutClass] = []
    for at in taken:
        done.append(_without(ground, recipe, at))
        result = LeaveOutResult(complete=len(done) == len(taken), classes=tuple(done), deployed=HALF_WAY, notes=notes)
        folder = GroupFolder(ground.out)
        folder.leave_out.write(result)
        folder.leave_out_table.write(leave_out_table(result) + "\n")
    if not done:
        raise UserError("leave-out: no class has a val photo")
    return result


def without_class(manifest: Manifest, at: int) -> Manifest:
    """A manifest without the crops and the name of a class, by its index."""
    rows = tuple(replace(row, label=row.label - (row.label > at)) for row in manifest.rows if row.label != at)
    names = manifest.labels.names
    return replace(manifest, rows=rows, labels=LabelSet(names[:at] + names[at + 1 :]))


def run_name(names: tuple[str, ...], at: int) -> str:
    """Name of the folder of the training without a class: by the class, where that can name a folder alone."""
    safe = [re.sub(r"[^A-Za-z0-9_-]", "_", name)[:60] for name in names]
    folded = [name.casefold() for name in safe]
    return f"without-{safe[at]}" if folded.count(folded[at]) == 1 else f"without-{at}-{safe[at]}"


def _without(ground: RunGroup, recipe: Recipe, at: int) -> LeftOutClass:
    labels = ground.manifest.labels
    manifest, name = without_class(ground.manifest, at), run_name(labels.names, at)
    trained = ground.trained(recipe, name, manifest)
    file = TrainingFolder(ground.out / name).left_out
    kept = file.read_if_there(LeftOutClass, "leave-out")
    if kept and (kept.recipe, kept.data) == (trained.recipe, trained.data):
        return kept
    say(f"leave-out: {labels.names[at]}: scoring")
    result = _scored(ground, recipe, at, manifest, trained)
    file.write(result)
    return result


def _scored(ground: RunGroup, recipe: Recipe, at: int, manifest: Manifest, trained: TrainingResult) -> LeftOutClass:
    model = trained_model.load(TrainingFolder(ground.out / trained.name).model)
    train = load_crops(manifest, "train", model.preprocess, ground.cache)
    step = -(-len(train.labels) // MOST_CROPS)
    train = Crops(np.ascontiguousarray(train.pixels[::step]), list(train.labels)[::step])
    every = load_crops(ground.manifest, "val", model.preprocess, ground.cache)
    label_m = np.asarray(every.labels)
    known_m = label_m != at
    labels = [int(label) - (label > at) for label in label_m[known_m]]
    scores = class_scores(model, recipe, train, np.asarray(every.pixels), known_m, labels)
    right = np.ones(int(known_m.sum()), np.bool_)  # of labels nothing is asked here
    return LeftOutClass(
        name=ground.manifest.labels.names[at],
        recipe=trained.recipe,
        data=trained.data,
        val_macro_f1=trained.val_macro_f1 or 0.0,
        unknown=int((~known_m).sum()),
        known=int(known_m.sum()),
        auroc={name: score_method(name, row[known_m], row[~known_m], right).auroc for name, row in scores.items()},
    )
