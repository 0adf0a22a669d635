"""Whole jobs: a recipe, what it runs to, and its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leansort.api.verbs import AnyPath, verb

if TYPE_CHECKING:
    from leansort.recipe.schema import Recipe


@verb()
def load_recipe(recipe: AnyPath | Recipe, overrides: Sequence[str] = (), *, data: AnyPath | None = None) -> Recipe:
    """Read a recipe, apply overrides, and check every key.

    >>> import leansort
    >>> recipe = leansort.load_recipe("sample", ["train.epochs=3"])
    >>> recipe.train.epochs
    3

    Args:
        recipe: the name of a recipe in the package, such as `sample`; the path of a YAML file; or a recipe.
        overrides: changes such as `train.epochs=3`; values are YAML.
        data: replaces the recipe's `data.path`.

    Returns:
        The resolved recipe, a frozen pydantic model.

    Raises:
        UserError: there is no such recipe, or it is wrong in any place; the message lists every fault.
    """
    from leansort.recipe import load
    from leansort.recipe.data_override import with_path
    from leansort.recipe.data_section import COMMON
    from leansort.recipe.schema import Recipe

    path = None if data is None else Path(data)
    if not isinstance(recipe, Recipe):
        return load.load_recipe(Path(recipe), overrides, path)
    tree = load.override_recipe(recipe.to_json(), overrides, "given").to_json()
    if path is not None:
        tree["data"] = with_path(tree["data"], path, COMMON)
    return load.validate_recipe(tree, "given")
