"""Teachers that a recipe trains before its student: on the same data, in folders of their own, resumed as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.manifest import duplicates
from leansort.core.process.console import say
from leansort.core.run_folder import ModelFolder
from leansort.recipe.load import load_recipe
from leansort.recipe.schema import Recipe

WHAT = "distill.teacher_recipes"


def resolve_teachers(recipe: Recipe) -> list[Recipe]:
    """The recipes of the teachers that are trained first.

    They get the student's data, with its splits and classes, and its seed, threads and workers, which are of the run
    and the machine; all else is their own.

    Raises:
        UserError: there is no such recipe, it is wrong, two have one name, or one has teacher recipes itself.
    """
    teachers = [_resolved(name, recipe) for name in recipe.distill.teacher_recipes]
    if doubled := duplicates([teacher.name for teacher in teachers]):
        raise UserError(f"{WHAT}: two are called {doubled[0]!r}; each needs a name of its own")
    return teachers


def _resolved(name: str, recipe: Recipe) -> Recipe:
    try:
        teacher = load_recipe(name, recipe.distill.teacher_overrides)
    except UserError as error:
        raise UserError(f"{WHAT}: {error}") from None
    if teacher.distill.teacher_recipes:
        raise UserError(
            f"{WHAT}: {name} has teacher recipes itself; train it first, and name its folder in distill.teachers"
        )
    machine = {"threads": recipe.train.threads, "workers": recipe.train.workers}
    train = teacher.train.model_copy(update=machine)
    return teacher.model_copy(update={"data": recipe.data, "seed": recipe.seed, "train": train})


def teacher_paths(recipe: Recipe, place: Path) -> list[Path]:
    """Where all teachers of a recipe are: those that it names, and those that are trained below `place`.

    Raises:
        UserError: as `resolve_teachers` does.
    """
    trained = [ModelFolder(place).teacher(teacher.name).path for teacher in resolve_teachers(recipe)]
    return [*recipe.distill.teachers, *trained]


def train_teachers(recipe: Recipe, place: Path, train: Callable[[Recipe, Path], object]) -> None:
    """Train the teachers of a recipe below `place`, one after the other.

    Args:
        recipe: the student's.
        place: gets a folder for each teacher.
        train: trains a recipe in a folder, or goes on there; does nothing where it is done.
    """
    teachers: Sequence[Recipe] = resolve_teachers(recipe)
    for teacher in teachers:
        folder = ModelFolder(place).teacher(teacher.name).path
        say(f"teacher {teacher.name}: in {folder}")
        train(teacher, folder)
    if teachers:
        say(f"student {recipe.name}:")
