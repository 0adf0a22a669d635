"""Epochs for the time that there is: a recipe's trainings, all shortened by one fraction."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from leansort.compress.passes_api import read_step
from leansort.core.files.typed_result import JsonObject
from leansort.recipe.schema import Recipe

VALIDATION = 1.15  # of an epoch's time: val, checkpoint, and what else is not a step
TAUGHT = 1.4  # of a step's time: the teachers' outputs, most of which are kept after some epochs
CUT = 0.7  # of a step's time: what a step costs after a cut, on average
OVERHEAD_S = 15.0  # of a candidate: export, parity, timing
_INNER = ("finetune", "finetune_between")  # trainings within a step
SHORTEST = 0.05  # fraction of a recipe's epochs below which a training says nothing of it
WORTHWHILE = 0.4  # the same, where there is a bundle already that it would have to beat


def change_epochs(recipe: Recipe, change: Callable[[int], int]) -> Recipe:
    """Return a recipe with other numbers of epochs: of its training, and of each training of its compression.

    Args:
        recipe: any.
        change: the new number for an old one; what is below 1 counts as 1.
    """
    epochs = max(1, change(recipe.train.epochs))
    train = recipe.train.model_copy(
        update={
            "epochs": epochs,
            "warmup": min(recipe.train.warmup, epochs / 4),
            "freeze": min(recipe.train.freeze, epochs - 1),
        }
    )
    steps = tuple(_changed_step(step, change) for step in recipe.compress.steps)
    compress = recipe.compress.model_copy(update={"steps": steps})
    return recipe.model_copy(update={"train": train, "compress": compress})


def _changed_step(step: JsonObject, change: Callable[[int], int]) -> JsonObject:
    """A step with other epochs of its own and of the trainings within it; one that trains nothing stays so."""
    result = {**step}
    if own := _own_epochs(step):
        result["epochs"] = max(1, change(own))
    for name, epochs in _inner_epochs(step).items():
        inner = step[name]
        assert isinstance(inner, Mapping)
        result[name] = {**inner, "epochs": max(1, change(epochs))}
    return result


def _own_epochs(step: JsonObject) -> int:
    """Epochs of a pass that trains by itself, by default or because the step says so; 0 of all others."""
    return int(getattr(read_step(step, "compress.steps: ")[1].config, "epochs", 0))


def _inner_epochs(step: JsonObject) -> dict[str, int]:
    """Epochs of the trainings within a step, by the key that they stand under."""
    found = {name: inner for name in _INNER if isinstance(inner := step.get(name), Mapping)}
    return {name: int(str(inner["epochs"])) for name, inner in found.items() if inner.get("epochs")}


def training_seconds(recipe: Recipe, step_seconds: float, crops: int) -> float:
    """Roughly the seconds that all trainings of a recipe take.

    Args:
        recipe: any; its teachers' own trainings are not counted.
        step_seconds: of one optimizer step, as it was measured.
        crops: to learn from.
    """
    steps = math.ceil(crops / recipe.train.batch)
    taught = TAUGHT if recipe.distill.teachers or recipe.distill.teacher_recipes else 1.0
    return total_epochs(recipe) * steps * step_seconds * taught * VALIDATION


def total_epochs(recipe: Recipe) -> float:
    """Epochs of all trainings of a recipe, those after a cut counted as the part of a whole one that they take."""
    return recipe.train.epochs + CUT * sum(_trained(step) for step in recipe.compress.steps)


def fitting_fraction(wanted_s: float, available_s: float, least: float = SHORTEST) -> float:
    """The fraction of a training's epochs that there is time for, at most 1; 0 where it is less than `least`."""
    if wanted_s <= available_s:
        return 1.0
    fraction = available_s / wanted_s if available_s > 0 else 0.0
    return fraction if fraction >= least else 0.0


def _trained(step: JsonObject) -> int:
    return _own_epochs(step) + sum(_inner_epochs(step).values())
