"""What a solve is asked for, and which data its photos are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from leansort.core.errors import UserError
from leansort.core.files.typed_result import JsonObject
from leansort.core.run_folder import DataFolder
from leansort.core.text import yaml_config
from leansort.data.coco import layouts
from leansort.recipe.data_override import with_path
from leansort.recipe.data_section import COMMON
from leansort.recipe.goal import Goal
from leansort.recipe.schema import Recipe
from leansort.recipe.target import device_faults

# The most accurate ones lie at both ends: what fits a budget is found out by pricing, not by this order.
RECIPES = (
    "trashnet-transfer", "trashnet-front", "trashnet-lean", "trashnet-hardy", "trashnet-tiny", "trashnet-small",
    "trashnet-fast",
)  # fmt: skip
SEARCH = "trashnet"
SPLIT: JsonObject = {"method": "class", "train": 0.7, "val": 0.15, "test": 0.15}


@dataclass(frozen=True)
class SolveSettings:
    """What is wanted, and what may be tried for it.

    Attributes:
        goal: what has to be reached.
        data: the `data` section of the recipes.
        manifest: data that were imported before, in place of `data`.
        recipes: names or files of the recipes that may be tried.
        overrides: changes of each of them, such as `preprocess.size=96`.
        epochs: most epochs of each training; None: those of the recipes.
        search: name or file of the search that follows where no recipe meets the goal.
        trials: of the search; 0 searches nothing.
        unknown: folder of photos that show none of the classes.
        target_error: largest fraction of wrong labels among accepted ones; None accepts everything.
        drop_leaks: whether training photos that other splits show, too, are left out in place of stopping.
        seed: of all randomness.
    """

    goal: Goal
    data: JsonObject
    manifest: Path | None = None
    recipes: tuple[str, ...] = RECIPES
    overrides: tuple[str, ...] = ()
    epochs: int | None = None
    search: str = SEARCH
    trials: int = 20
    unknown: Path | None = None
    target_error: float | None = None
    drop_leaks: bool = False
    seed: int = 0


def read_goal(**given: object) -> Goal:
    """Check a goal that was given by options.

    Raises:
        UserError: every fault of it.
    """
    try:
        goal = Goal.model_validate(given)
    except ValidationError as error:
        faults = yaml_config.validation_faults(error, Goal)
        raise UserError("solve: " + "; ".join(map(_as_option, faults))) from None
    if faults := device_faults(goal.address):
        raise UserError(f"solve: --{faults[0].removeprefix('target.')}")
    return goal


def _as_option(fault: str) -> str:
    """A fault of a goal's key as one of the option of that name."""
    key, colon, rest = fault.partition(": ")
    return f"--{key.replace('_', '-')}{colon}{rest}" if key in Goal.model_fields else fault


def recipe_settings(recipe: Recipe) -> SolveSettings:
    """What a recipe with a goal asks for.

    Raises:
        UserError: it has none.
    """
    if recipe.goal is None:
        raise UserError(f"solve: the recipe {recipe.name!r} has no goal")
    return SolveSettings(
        goal=recipe.goal,
        data=recipe.data,
        unknown=recipe.export.unknown,
        target_error=recipe.export.target_error,
        seed=recipe.seed,
    )


def read_photos(photos: Path) -> tuple[JsonObject, Path | None]:
    """Find out which data a path holds.

    Args:
        photos: class folders, with splits or without; COCO files or a folder of them; a manifest or its folder.

    Returns:
        The `data` section of a recipe, and the manifest where it is one.

    Raises:
        UserError: there is nothing.
    """
    if not photos.exists():
        raise UserError(f"solve: {photos} is not there; need class folders, COCO files or a manifest")
    if photos.suffix == ".parquet" or DataFolder(photos).manifest.is_file():
        return {"source": "folder", "path": str(photos)}, photos
    section: JsonObject = {"source": "folder", "path": str(photos), "split": SPLIT}
    if photos.is_file():
        return {**section, "source": "coco"}, None
    layout = layouts.recognize_layout(photos)
    if layout is None:
        return section, None
    return with_path({"source": "sample", "split": SPLIT}, photos, COMMON), None
