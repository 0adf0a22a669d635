"""Strict settings: a YAML tree read with one clear line on every fault, all faults at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from leansort.core.errors import MissingExtraError, UserError, did_you_mean, one_line
from leansort.core.text.renamed_keys import new_name
from leansort.core.text.text_files import read_text
from leansort.core.writing.escaping import printable_lines

_MOST_VALUES = 1_000_000


def parse_yaml(text: str, what: str) -> Any:
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
        tree = yaml.load(text, _loader())
        _require_small(tree, {})
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"{what} is not YAML ({one_line(error, 140)})") from None
    except _DuplicateKey as error:
        raise UserError(f"{what} gives a key twice: {error}; every key must be there once") from None
    endless = _endless(tree)
    if endless is not None:
        raise UserError(f"{what} holds {endless}, need finite numbers")
    return tree


class _DuplicateKey(Exception):
    """A mapping has a key twice."""


@cache
def _loader() -> Any:
    """PyYAML's safe loader, but that a key given twice is an error; by itself it keeps the last one."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_mapping_node(self, anchor: Any) -> Any:
            node, lines = super().compose_mapping_node(anchor), dict[Any, int]()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    continue
                name, line = self.construct_object(key), key.start_mark.line + 1
                if name in lines:
                    raise _DuplicateKey(f"{name!r} in line {lines[name]} and in line {line}")
                lines[name] = line
            return node

    return Loader


def _require_small(tree: Any, known: dict[int, int]) -> int:
    """Count the values, those behind an alias each time: a few lines of aliases can stand for more than memory holds.

    Raises:
        ValueError: too many, or an alias that holds itself.
    """
    if not isinstance(tree, (dict, list)):
        return 1
    if id(tree) not in known:
        known[id(tree)] = _MOST_VALUES + 1
        inner = tree.values() if isinstance(tree, dict) else tree
        known[id(tree)] = 1 + sum(_require_small(item, known) for item in inner)
    if known[id(tree)] > _MOST_VALUES:
        raise ValueError(f"its aliases stand for more than {_MOST_VALUES} values")
    return known[id(tree)]


def _endless(tree: Any) -> float | None:
    """A number in the tree that is infinite or none at all, where there is one: limits would not hold against it."""
    if isinstance(tree, float):
        return None if math.isfinite(tree) else tree
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return next((result for item in inner if (result := _endless(item)) is not None), None)


def to_yaml(tree: dict[str, Any]) -> str:
    """A tree as YAML, in its own order.

    Raises:
        MissingExtraError: pyyaml is not installed.
    """
    try:
        import yaml
    except ImportError:
        raise MissingExtraError("pyyaml", "train") from None
    text = str(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=110))
    if printable_lines(text) == text:
        return text
    return str(yaml.safe_dump(tree, sort_keys=False, width=110))  # what cannot be seen as escapes


def read_yaml(path: Path, what: str, example: str) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Args:
        path: the file.
        what: kind of file, for the error.
        example: keys that it could hold, for the error.

    Raises:
        UserError: unreadable, not YAML, or no mapping.
    """
    tree = parse_yaml(read_text(path, what), f"{what}: {path}")
    if not isinstance(tree, dict):
        raise UserError(f"{what}: {path} holds {type(tree).__name__}, need keys such as {example}")
    return tree


def validation_faults(error: ValidationError, model: type[BaseModel], prefix: str = "", kind: str = "") -> list[str]:
    """One line for each fault that pydantic found: where, what was given, what is allowed.

    Args:
        error: what pydantic raised.
        model: that was validated.
        prefix: put before each key.
        kind: of file, in front of the keys of `renamed_keys`; empty for recipes.
    """
    return [_fault(item, model, prefix, kind) for item in error.errors()]


def _fault(value: Any, model: type[BaseModel], prefix: str, kind: str) -> str:
    place = (prefix + ".".join(str(part) for part in value["loc"])).rstrip(".")
    if value["type"] == "value_error" and isinstance(value["input"], dict):  # of keys that do not go together
        text = value["msg"].removeprefix("Value error, ")
        return f"{place}: {text}" if place else str(text)
    if value["type"] == "extra_forbidden":
        allowed = _fields_at(model, value["loc"][:-1])
        if new := new_name(f"{kind}.{place}" if kind else place):
            return f"{place}: unknown key, it was renamed: write {new}"
        return f"{place}: unknown key{did_you_mean(str(value['loc'][-1]), allowed)}; allowed: {', '.join(allowed)}"
    if value["type"] == "missing":
        return f"{place}: missing"
    return f"{place}: got {repr(value['input'])[:80]}, {value['msg'][0].lower()}{value['msg'][1:]}"


def _fields_at(model: type[BaseModel], loc: Sequence[Any]) -> list[str]:
    for part in loc:
        annotation = model.model_fields[str(part)].annotation
        candidates = (annotation, *get_args(annotation))
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return list(model.model_fields)
