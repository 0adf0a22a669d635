"""The variants of an ablation: a YAML file of names and the overrides that make them from a base recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.text import yaml_config
from leansort.core.text.packaged_configs import ABLATION, find_config
from leansort.recipe.load import load_recipe
from leansort.recipe.schema import Recipe

BASE = "base"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # names folders
_EXAMPLE = "no-ema: [train.ema=0]"


def read_variants(path: str | Path) -> dict[str, list[str]]:
    """Read a file of variants, which may be given by its name in the package.

    Raises:
        UserError: unreadable, or wrong in any place; the message lists every fault.
    """
    path = find_config(path, ABLATION)
    tree = yaml_config.read_yaml(path, "variants", _EXAMPLE)
    faults: list[str] = []
    for name, overrides in tree.items():
        faults += _faults(name, overrides)
    if not tree:
        faults.append(f"no variant, need lines such as {_EXAMPLE}")
    _raise(path, faults)
    return tree


def resolve_variants(
    recipe: str | Path, path: str | Path, overrides: Sequence[str] = (), data: Path | None = None
) -> tuple[dict[str, Recipe], dict[str, list[str]]]:
    """The recipes of an ablation by name, the base first, and the overrides that each takes from the base.

    Args:
        recipe: of the base, a file or a name.
        path: the variants, a file or a name.
        overrides: of the base and so of all.
        data: replaces `data.path`.

    Raises:
        UserError: a variant is no recipe, changes nothing, is there twice, or changes the data or the seed, which
            a fair comparison leaves alone; the message lists every fault.
    """
    wanted = {BASE: list[str](), **read_variants(path)}
    result, faults = {BASE: load_recipe(recipe, overrides, data)}, list[str]()
    for name, own in wanted.items():
        if name == BASE:
            continue
        try:
            result[name] = load_recipe(recipe, [*overrides, *own], data)
        except UserError as error:
            faults.append(f"{name}: {error}")
    _raise(path, faults + _unfair(result))
    return result, wanted


def _unfair(result: Mapping[str, Recipe]) -> list[str]:
    base, faults, known = result[BASE], list[str](), dict[str, str]()
    for name, recipe in result.items():
        if (recipe.data, recipe.seed) != (base.data, base.seed):
            faults.append(f"{name}: changes data or seed, which every variant shares")
        same = known.setdefault(recipe.digest, name)
        if same != name:
            faults.append(f"{name}: is the same as {same}")
    return faults


def _faults(name: object, overrides: object) -> list[str]:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return [f"{name!r} is no name; it names a folder: letters, digits, and .-_ after the first"]
    if name == BASE:
        return [f"{BASE!r} is the recipe itself; give the variant another name"]
    if not isinstance(overrides, list) or not all(isinstance(override, str) for override in overrides):
        return [f"{name}: got {repr(overrides)[:60]}, need a list of overrides, e.g. {_EXAMPLE}"]
    return []


def _raise(path: str | Path, faults: Sequence[str]) -> None:
    if faults:
        text = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise UserError(f"variants {path}: {text}: " + "; ".join(faults))
