"""Reading recipes: strict YAML, `key=value` overrides, every fault at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path

from pydantic import JsonValue, ValidationError

from leansort.arch.pretrained.weight_pack import find_pack, is_pack
from leansort.arch.timm_models import timm_networks
from leansort.core.errors import UserError
from leansort.core.files.typed_result import JsonObject
from leansort.core.text import packaged_configs, yaml_config
from leansort.recipe.data_override import with_path
from leansort.recipe.data_section import COMMON, data_faults
from leansort.recipe.model_statistics import model_statistics
from leansort.recipe.schema import Recipe
from leansort.recipe.target import device_faults, read_engine_option, target_faults


def load_recipe(path: str | Path, overrides: Sequence[str] = (), data: Path | None = None, engine: str = "") -> Recipe:
    """Read a recipe and apply `key=value` overrides.

    Args:
        path: the YAML file, or the name of a recipe of the package.
        overrides: such as `train.epochs=3`; values are YAML.
        data: replaces `data.path`, and a source that reads other folders where this is one of COCO files.
        engine: replaces the target's engine and its settings, such as `openvino:precision=bf16`.

    Raises:
        UserError: unreadable, or wrong in any place; the message lists every fault.
    """
    path = packaged_configs.find_config(path, packaged_configs.RECIPE)
    tree = yaml_config.read_yaml(path, "recipe", "name, data, train")
    return validate_recipe(_with_statistics(_changed(tree, overrides, data, engine)), str(path))


def change_recipe(recipe: Recipe, overrides: Sequence[str] = (), data: Path | None = None, engine: str = "") -> Recipe:
    """Return a recipe with changes, which are those of `load_recipe`.

    Raises:
        UserError: wrong in any place; the message lists every fault.
    """
    return validate_recipe(_changed(recipe.to_json(), overrides, data, engine), f"{recipe.name!r}")


def _changed(tree: JsonObject, overrides: Sequence[str], data: Path | None, engine: str) -> JsonObject:
    for text in overrides:
        _override(tree, text)
    if data is not None:
        section = tree.setdefault("data", {})
        if isinstance(section, dict):  # else it is named among the faults
            tree["data"] = with_path(section, data, COMMON)
    if engine:
        target = tree.get("target")
        tree["target"] = {**(target if isinstance(target, dict) else {}), **read_engine_option(engine)}
    return tree


def override_recipe(recipe: Mapping[str, JsonValue], overrides: Sequence[str], where: str) -> Recipe:
    """A recipe's tree with `key=value` overrides.

    Raises:
        UserError: wrong in any place.
    """
    tree = deepcopy(dict(recipe))
    for text in overrides:
        _override(tree, text)
    return validate_recipe(tree, where)


def validate_recipe(tree: object, where: str) -> Recipe:
    """Check a recipe's tree.

    Raises:
        UserError: with one line for each fault, or no mapping.
    """
    if not isinstance(tree, dict):
        raise UserError(f"recipe {where}: got {type(tree).__name__}, need keys such as name, data, train")
    faults: list[str] = []
    recipe = None
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        faults += yaml_config.validation_faults(error, Recipe)
    faults += data_faults(tree.get("data"))
    if recipe is not None:
        faults += target_faults(recipe.target, [str(step.get("pass")) for step in recipe.compress.steps])
        faults += goal_faults(recipe)
    if faults or recipe is None:
        text = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise UserError(f"recipe {where}: {text}: " + "; ".join(faults))
    return recipe


def goal_faults(recipe: Recipe) -> list[str]:
    """Everything in which a recipe's goal and target contradict each other, one line each."""
    goal, target = recipe.goal, recipe.target
    if goal is None:
        return []
    faults = [f"goal.device: {fault.partition(': ')[2]}" for fault in device_faults(goal.address)]
    faults += [
        f"goal: target.limits.{name} says the same; leave one of them out"
        for name in goal.limits
        if name in target.limits
    ]
    if target.device and target.device != goal.address:
        faults.append(f"goal.device: got {goal.device}, target.device is {target.device}; leave one of them out")
    return faults


def _with_statistics(tree: JsonObject) -> JsonObject:
    """Fill in the mean and deviation that pretrained weights were made with, where the recipe sets none.

    A pack says them, and so does a trained network of ours; of a timm backbone, with or without weights, timm does.
    """
    arch, preprocess = tree.get("arch"), tree.setdefault("preprocess", {})
    if not isinstance(arch, dict) or not isinstance(preprocess, dict):
        return tree
    base, pretrained = arch.get("base"), arch.get("pretrained")
    if isinstance(pretrained, str) and is_pack(pretrained):
        theirs = find_pack(pretrained).facts.preprocess
        mean, std = theirs.mean, theirs.std
    elif isinstance(base, str) and timm_networks.is_timm(base):
        mean, std = timm_networks.normalization_statistics(base)
    elif isinstance(pretrained, str) and (own := model_statistics(Path(pretrained))):
        mean, std = own.mean, own.std
    else:
        return tree
    preprocess.setdefault("mean", list(mean))
    preprocess.setdefault("std", list(std))
    return tree


def _override(tree: JsonObject, text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"override: got {text!r}, need key=value, e.g. train.epochs=3")
    *above, last = key.strip().split(".")
    for part in above:
        below = tree.setdefault(part, {})
        if below is None:  # a section that is off, such as compress.stress
            below = tree[part] = {}
        if not isinstance(below, dict):
            raise UserError(f"override: {key!r} goes below {part!r}, which holds a plain value")
        tree = below
    tree[last] = yaml_config.parse_yaml(value, f"override: the value of {text!r}")
