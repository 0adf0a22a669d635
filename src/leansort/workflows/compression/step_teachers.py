"""Whom the steps of a compression learn from: the recipe's teachers, and its photos without labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leansort.compress.compress_config import RECIPE, START
from leansort.compress.passes_api import read_step
from leansort.compress.pipeline.runner import Steps
from leansort.core.errors import UserError
from leansort.core.manifest import Manifest
from leansort.core.run_folder import TrainingFolder
from leansort.recipe.schema import Recipe
from leansort.train.distillation import teachers as teacher_files
from leansort.workflows.data.unlabelled_import import UnlabelledRecord, find_unlabelled


def steps_have_teachers(recipe: Recipe) -> bool:
    """Whether a step learns from anybody."""
    return bool(_named_teachers(_read(recipe)))


def steps_read_teachers(recipe: Recipe) -> bool:
    """Whether a step learns from the teachers of the recipe's `distill` section."""
    return RECIPE in _named_teachers(_read(recipe))


def _read(recipe: Recipe) -> Steps:
    return [read_step(tree, f"compress.steps.{number}.") for number, tree in enumerate(recipe.compress.steps, 1)]


def _named_teachers(steps: Steps) -> set[str]:
    """The teachers of all trainings of a pipeline, as they are named."""
    trainings = [item for step, step_pass in steps for item in step_pass.trainings(step) if item.epochs]
    return {name for item in trainings for name in item.teachers}


def find_teachers(recipe: Recipe, manifest: Manifest, steps: Steps, given: Sequence[Path]) -> tuple[Path, ...]:
    """What a teacher named `recipe` stands for; all teachers are asked for their classes before any step is done.

    Raises:
        UserError: a teacher is missing or knows other classes.
    """
    named = _named_teachers(steps)
    own = tuple(given or recipe.distill.teachers) if RECIPE in named else ()
    if RECIPE in named and not own:
        raise UserError(
            "finetune.teachers: recipe stands for teachers that leansort run trains by distill.teacher_recipes; "
            "name the folder of one that is trained: distill.teachers=[FOLDER]"
        )
    teacher_files.require_same_classes([*own, *(Path(name) for name in named - {START, RECIPE})], manifest.labels)
    return own


def find_photos(recipe: Recipe, manifest: Manifest, folder: TrainingFolder, steps: Steps) -> UnlabelledRecord | None:
    """The photos without labels that steps with teachers learn from, too."""
    source = recipe.distill.unlabelled
    return find_unlabelled(source, manifest, folder, resume=True) if source and _named_teachers(steps) else None
