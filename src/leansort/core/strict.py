"""Strict settings: a YAML tree read with one clear line on every fault, all faults at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from leansort.core.errors import MissingExtraError, UserError, did_you_mean


def yaml_value(text: str, what: str) -> Any:
    """Parse YAML text.

    Args:
        text: the YAML.
        what: names the place in the error.

    Raises:
        UserError: not YAML.
        MissingExtraError: pyyaml is not installed.
    """
    try:
        import yaml
    except ImportError:
        raise MissingExtraError("pyyaml", "train") from None
    try:
        tree = yaml.safe_load(text)
        endless = _endless(tree)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"{what} is not YAML ({' '.join(str(error).split())[:140]})") from None
    if endless is not None:
        raise UserError(f"{what} holds {endless}, need finite numbers")
    return tree


def _endless(tree: Any) -> float | None:
    """A number in the tree that is infinite or none at all, where there is one: limits would not hold against it."""
    if isinstance(tree, float):
        return None if math.isfinite(tree) else tree
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return next((found for one in inner if (found := _endless(one)) is not None), None)


def yaml_text(tree: dict[str, Any]) -> str:
    """A tree as YAML, in its own order.

    Raises:
        MissingExtraError: pyyaml is not installed.
    """
    try:
        import yaml
    except ImportError:
        raise MissingExtraError("pyyaml", "train") from None
    return str(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=110))


def yaml_tree(path: Path, what: str, example: str) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Args:
        path: the file.
        what: kind of file, for the error.
        example: keys that it could hold, for the error.

    Raises:
        UserError: unreadable, not YAML, or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{what}: cannot read {path} ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise UserError(f"{what}: {path} is not YAML (not UTF-8 text)") from None
    tree = yaml_value(text, f"{what}: {path}")
    if not isinstance(tree, dict):
        raise UserError(f"{what}: {path} holds {type(tree).__name__}, need keys such as {example}")
    return tree


def faults(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[str]:
    """One line for each fault that pydantic found: where, what was given, what is allowed."""
    return [_fault(one, model, prefix) for one in error.errors()]


def _fault(one: Any, model: type[BaseModel], prefix: str) -> str:
    place = prefix + ".".join(str(part) for part in one["loc"])
    if one["type"] == "extra_forbidden":
        allowed = _fields_at(model, one["loc"][:-1])
        return f"{place}: unknown key{did_you_mean(str(one['loc'][-1]), allowed)}; allowed: {', '.join(allowed)}"
    if one["type"] == "missing":
        return f"{place}: missing"
    return f"{place}: got {repr(one['input'])[:80]}, {one['msg'][0].lower()}{one['msg'][1:]}"


def _fields_at(model: type[BaseModel], loc: Sequence[Any]) -> list[str]:
    for part in loc:
        annotation = model.model_fields[str(part)].annotation
        candidates = (annotation, *get_args(annotation))
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return list(model.model_fields)
