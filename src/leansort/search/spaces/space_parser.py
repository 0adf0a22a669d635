"""How open values are written: `{int: [1, 5]}`, `{float: [0.1, 1.0], log: true}`, `{choice: [a, b]}`; see `space`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from pydantic import JsonValue

from leansort.core.errors import UserError
from leansort.search.spaces.space import Choice, Numbers, Scalar, SpaceNode, parameters, step_values

KINDS = ("int", "float", "choice")
MOST_STEPS = 1_000_000_000
_EXAMPLE = "{float: [0.1, 1.0]}, {int: [1, 5]} or {choice: [a, b]}"


def parse_space(tree: Mapping[str, JsonValue], where: str = "space") -> SpaceNode:
    """The same tree with a Domain for each open value.

    Args:
        tree: recipe keys and their values; or a choice between several such trees.
        where: names the tree in errors.

    Raises:
        UserError: an open value is written wrongly, nothing is open, or an open value stands in place of the recipe
            keys; the message lists every fault.
    """
    faults: list[str] = []
    result = _node(dict(tree), where, faults)
    if not faults and not _has_keys(result):
        faults.append(f"{where}: need recipe keys with open values, e.g. train.lr: {{float: [0.001, 0.1]}}")
    if not faults and not parameters(result):
        faults.append(f"{where}: nothing is open, need values such as {_EXAMPLE}")
    if faults:
        raise UserError("; ".join(faults))
    return result


def _has_keys(node: SpaceNode) -> bool:
    """Whether all that can be drawn at this place is a mapping."""
    if isinstance(node, Choice):
        return all(map(_has_keys, node.options.values()))
    return isinstance(node, dict)


def _node(tree: JsonValue, where: str, faults: list[str]) -> SpaceNode:
    if isinstance(tree, list):
        return [_node(value, f"{where}[{at}]", faults) for at, value in enumerate(tree)]
    if not isinstance(tree, dict):
        return tree
    kinds = [kind for kind in KINDS if kind in tree]
    if not kinds:
        return {key: _node(value, f"{where}.{key}", faults) for key, value in tree.items()}
    allowed = {kinds[0]} if kinds[0] == "choice" else {kinds[0], "step", "log"}
    if set(tree) - allowed:
        faults.append(f"{where}: {', '.join(map(str, set(tree) - allowed))} does not go with {kinds[0]}")
        return None
    return _choice(tree["choice"], where, faults) if kinds[0] == "choice" else _numbers(tree, kinds[0], where, faults)


def _choice(options: JsonValue, where: str, faults: list[str]) -> SpaceNode:
    if isinstance(options, dict) and options:
        if wrong := [label for label in options if not isinstance(label, str)]:
            faults.append(f"{where}: choice: label {wrong[0]!r} is no text; write it in quotes")
        return Choice({label: _node(option, f"{where}={label}", faults) for label, option in options.items()})
    plain = [item for item in options if isinstance(item, Scalar)] if isinstance(options, list) else []
    if not plain or not isinstance(options, list) or not len(set(plain)) == len(plain) == len(options):
        faults.append(f"{where}: choice: need a list of different plain values, or a mapping from labels to anything")
        return None
    return Choice({item: item for item in plain})


def _numbers(tree: dict[str, JsonValue], kind: str, where: str, faults: list[str]) -> SpaceNode:
    whole, ends = kind == "int", tree[kind]
    try:
        low, high = (_number(end, whole) for end in _ends(ends))
        step = _number(tree["step"], whole) if tree.get("step") is not None else (1 if whole else None)
    except (TypeError, ValueError, OverflowError):
        faults.append(f"{where}: {kind}: got {ends!r}, step {tree.get('step')!r}, need {_EXAMPLE}")
        return None
    log = tree.get("log", False)
    if low >= high or (step is not None and step <= 0) or not isinstance(log, bool) or (log and low <= 0):
        faults.append(f"{where}: need low < high, a step over 0, and low over 0 where log is true; got {tree}")
        return None
    if step is not None and (high - low) / step > MOST_STEPS:
        faults.append(f"{where}: {kind}: more than {MOST_STEPS:,} steps of {step:g}")
        return None
    if log and tree.get("step") is not None:
        faults.append(f"{where}: step does not go with log")
        return None
    if step is not None:  # the last value that is reached by steps is the highest
        high = step_values(low, step, int((Decimal(str(high)) - Decimal(str(low))) / Decimal(str(step))))
    return Numbers(low, high, None if log and not whole else step, log, whole)


def _ends(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise TypeError(value)
    return value


def _number(value: JsonValue, whole: bool) -> float | int:
    """YAML reads 1e-4, which has no point, as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(value)
    number = float(value)
    if number in (float("inf"), float("-inf")) or number != number:
        raise ValueError(value)
    if whole and number != int(number):
        raise ValueError(value)
    return int(number) if whole else number
