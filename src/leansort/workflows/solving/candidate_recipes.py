"""The recipes that are tried for a goal: those of the package or of the user, on the data of the goal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from leansort.arch.pretrained import pack_cache
from leansort.arch.pretrained.weight_pack import is_pack
from leansort.core.errors import LeansortError, UserError
from leansort.core.text import packaged_configs
from leansort.recipe.goal import Goal
from leansort.recipe.load import change_recipe, load_recipe, validate_recipe
from leansort.recipe.schema import Recipe
from leansort.recipe.target import Target
from leansort.runtime.engine import installed_engines
from leansort.workflows.solving.epoch_budget import change_epochs
from leansort.workflows.solving.solve_settings import SolveSettings
from leansort.workflows.training.teacher_recipes import resolve_teachers

TEACHER, TEACHER_FROM_SCRATCH = "trashnet-transfer", "trashnet"
TEACHER_SIZE = 192  # pixels
TEACHER_CHANGES = (
    f"preprocess.size={TEACHER_SIZE}",
    "train.epochs=14",
    "train.average_from=0.6",
)  # as trashnet-lean has it


@dataclass(frozen=True)
class CandidateRecipe:
    """A recipe that may be tried.

    Attributes:
        name: of the recipe.
        recipe: on the data and for the target of the goal; its teachers are not among it.
        teachers: recipes of its teachers, which are trained before it, once for all candidates.
        hindrance: why it cannot be tried; empty where it can.
        notes: what was changed because something is not installed.
    """

    name: str
    recipe: Recipe
    teachers: tuple[Recipe, ...] = ()
    hindrance: str = ""
    notes: tuple[str, ...] = ()


def data_recipe(settings: SolveSettings) -> Recipe:
    """The recipe that the data are imported, checked and probed by."""
    tree = {
        "name": "solve",
        "data": settings.data,
        "seed": settings.seed,
        "preprocess": {"size": 160, "fit": "stretch"},
    }
    return change_recipe(validate_recipe(tree, "of the goal"))


def read_candidates(settings: SolveSettings) -> list[CandidateRecipe]:
    """Read all recipes that may be tried.

    Raises:
        UserError: there is none of a name, one is wrong, or two have one name.
    """
    read = [_read(name, settings) for name in settings.recipes]
    doubled = [item.name for at, item in enumerate(read) if item.name in [other.name for other in read[:at]]]
    if doubled:
        raise UserError(f"solve: --recipes: two recipes are called {doubled[0]!r}; each needs a name of its own")
    if not read:
        raise UserError("solve: --recipes: got none, need the name or file of a recipe")
    return read


def adapt_recipe(recipe: Recipe, settings: SolveSettings, *, packaged: bool = False) -> CandidateRecipe:
    """Put a recipe on the data and the target of a goal.

    Args:
        recipe: any.
        settings: of the solve.
        packaged: whether it is of the package, whose teachers' folders a user does not have.
    """
    teachers = [] if packaged and recipe.distill.teachers else resolve_teachers(recipe)
    if packaged and recipe.distill.teachers:
        teachers = [_usual_teacher()]
    target, notes = _target(recipe, settings)
    export = recipe.export.model_copy(
        update={"unknown": settings.unknown, "target_error": settings.target_error}
        if settings.target_error is not None
        else {}
    )
    distill = recipe.distill.model_copy(
        update={
            "teacher_recipes": (),
            "teacher_overrides": (),
            "teachers": () if packaged else recipe.distill.teachers,
        }
    )
    changes = {"data": settings.data, "seed": settings.seed, "target": target, "export": export, "distill": distill}
    adapted = recipe.model_copy(update={**changes, "goal": None})
    own = tuple(_limited(_on_data(teacher, settings), settings.epochs) for teacher in teachers)
    hindrance = next(filter(None, (missing_weights(item) for item in (recipe, *own))), "")
    return CandidateRecipe(recipe.name, _limited(adapted, settings.epochs), own, hindrance, notes)


def with_limits(recipe: Recipe, goal: Goal) -> Recipe:
    """A recipe whose target has the limits of a goal, too."""
    target = recipe.target.model_copy(update={"limits": {**recipe.target.limits, **goal.limits}})
    return recipe.model_copy(update={"target": target})


def with_teachers(recipe: Recipe, folders: list[Path]) -> Recipe:
    """A recipe that learns from networks that were trained for it."""
    distill = recipe.distill.model_copy(update={"teachers": (*recipe.distill.teachers, *folders)})
    return recipe.model_copy(update={"distill": distill})


def missing_weights(recipe: Recipe) -> str:
    """Why the pretrained weights that a recipe begins with cannot be had; empty where they can, or there are none."""
    source = recipe.arch.pretrained
    return missing_pack(source) if source and is_pack(source) else ""


def missing_pack(source: str) -> str:
    """Why a weight pack cannot be had; empty where it can."""
    try:
        pack_cache.read_pack(source)
    except LeansortError as error:
        return str(error)
    return ""


def _read(name: str, settings: SolveSettings) -> CandidateRecipe:
    packaged = packaged_configs.is_name(name, packaged_configs.RECIPE) and not Path(name).exists()
    recipe = load_recipe(name, settings.overrides)
    return replace(adapt_recipe(recipe, settings, packaged=packaged), name=recipe.name)


def _usual_teacher() -> Recipe:
    teacher = load_recipe(TEACHER, TEACHER_CHANGES)
    return load_recipe(TEACHER_FROM_SCRATCH) if missing_weights(teacher) else teacher


def _on_data(recipe: Recipe, settings: SolveSettings) -> Recipe:
    return recipe.model_copy(update={"data": settings.data, "seed": settings.seed})


def _target(recipe: Recipe, settings: SolveSettings) -> tuple[Target, tuple[str, ...]]:
    """The recipe's target on the device of the goal, with an engine that is there.

    The goal's limits are not in it: they judge a network and change none, so another goal trains nothing anew.
    """
    goal, target = settings.goal, recipe.target
    changes: dict[str, object] = {"device": goal.address}
    if goal.address or not target.engine or target.engine in installed_engines():
        return target.model_copy(update=changes), ()
    note = f"{recipe.name}: the engine {target.engine} is not installed; what suits the graph runs it"
    return target.model_copy(update={**changes, "engine": "", "settings": {}}), (note,)


def _limited(recipe: Recipe, epochs: int | None) -> Recipe:
    """A recipe none of whose trainings takes more epochs."""
    return recipe if epochs is None else change_epochs(recipe, lambda count: min(count, epochs))
