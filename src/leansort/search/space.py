"""Search spaces: a recipe's keys whose values are left open, written in the place where the value would stand.

    train.lr: {float: [1.0e-4, 1.0e-2], log: true}
    train.batch: {choice: [16, 32, 64]}
    arch.width: {float: [0.25, 1.0], step: 0.25}
    arch: {choice: {zoo: {base: {choice: [mnasnet, tiny_s]}}, wide: {base: lean_v4, width: {float: [1.0, 2.0]}}}}

What stands below an option is open only where that option is taken, so spaces are trees. A parameter's name is its
place: `arch`, `arch=wide.width`, `arch.model.backbone[2]=Conv[2][0]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leansort.core.errors import UserError, did_you_mean

Scalar = bool | int | float | str | None
KINDS = ("int", "float", "choice")
_EXAMPLE = "{float: [0.1, 1.0]}, {int: [1, 5]} or {choice: [a, b]}"


@dataclass(frozen=True)
class Numbers:
    """An open number.

    Attributes:
        low: least.
        high: most, taken too.
        step: between neighbours; None where any number will do.
        log: drawn evenly by order of magnitude.
        whole: an integer.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False
    whole: bool = False

    def holds(self, value: Any) -> bool:
        """Whether a value is one of these."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        steps = (value - self.low) / self.step if self.step else 0.0
        return (not self.whole or int(value) == value) and abs(steps - round(steps)) < 1e-6


@dataclass(frozen=True)
class Choice:
    """One of several; what an option stands for may itself hold open values.

    Attributes:
        options: by their labels.
    """

    options: dict[Scalar, Any]

    def holds(self, value: Any) -> bool:
        """Whether a value is a label."""
        return any(value == label and type(value) is type(label) for label in self.options)


Domain = Numbers | Choice
Ask = Callable[[str, Domain], Scalar]


def parsed(tree: Any, where: str = "space") -> Any:
    """The same tree with a Domain for each open value.

    Raises:
        UserError: an open value is written wrongly, or nothing is open; the message lists every fault.
    """
    faults: list[str] = []
    found = _node(tree, where, faults)
    if not faults and not parameters(found):
        faults.append(f"{where}: nothing is open, need values such as {_EXAMPLE}")
    if faults:
        raise UserError("; ".join(faults))
    return found


def drawn(node: Any, ask: Ask, name: str = "") -> Any:
    """The tree with every open value settled.

    Args:
        node: a parsed tree.
        ask: gives the value of a parameter: a number, or a choice's label.
        name: of the place.
    """
    if isinstance(node, Numbers):
        return ask(name, node)
    if isinstance(node, Choice):
        label = ask(name, node)
        return drawn(node.options[label], ask, f"{name}={label}")
    if isinstance(node, dict):
        return {key: drawn(value, ask, _below(name, key)) for key, value in node.items()}
    if isinstance(node, list):
        return [drawn(value, ask, f"{name}[{at}]") for at, value in enumerate(node)]
    return node


def parameters(node: Any, name: str = "") -> dict[str, Domain]:
    """Every parameter of a parsed tree by name, whatever options it needs."""
    if isinstance(node, Numbers):
        return {name: node}
    if isinstance(node, Choice):
        below = [parameters(option, f"{name}={label}") for label, option in node.options.items()]
        return {name: node} | {key: value for one in below for key, value in one.items()}
    places = []
    if isinstance(node, dict):
        places = [(_below(name, key), value) for key, value in node.items()]
    elif isinstance(node, list):
        places = [(f"{name}[{at}]", value) for at, value in enumerate(node)]
    return {key: domain for place, value in places for key, domain in parameters(value, place).items()}


def require_known(given: Mapping[str, Any], known: Mapping[str, Domain], where: str) -> None:
    """Check parameters that somebody names.

    Raises:
        UserError: one is no parameter, or its value is none that it takes; the message lists every fault.
    """
    faults = []
    for name, value in given.items():
        if name not in known:
            faults.append(f"{where}: {name!r} is no parameter of the space{did_you_mean(name, known)}")
        elif not known[name].holds(value):
            faults.append(f"{where}: {name}: got {value!r}, allowed: {said(known[name])}")
    if faults:
        raise UserError("; ".join(faults))


def said(domain: Domain) -> str:
    """What a parameter takes, for people."""
    if isinstance(domain, Choice):
        return ", ".join(str(label) for label in domain.options)
    return f"{domain.low:g} to {domain.high:g}" + (f" in steps of {domain.step:g}" if domain.step else "")


def _below(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)


def _node(tree: Any, where: str, faults: list[str]) -> Any:
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
        return tree
    return _choice(tree["choice"], where, faults) if kinds[0] == "choice" else _numbers(tree, kinds[0], where, faults)


def _choice(options: Any, where: str, faults: list[str]) -> Any:
    if isinstance(options, dict) and options:
        return Choice({label: _node(option, f"{where}={label}", faults) for label, option in options.items()})
    plain = isinstance(options, list) and all(isinstance(one, Scalar) for one in options)
    if not plain or not options or len({(type(one), one) for one in options}) < len(options):
        faults.append(f"{where}: choice: need a list of different plain values, or a mapping from labels to anything")
        return options
    return Choice({one: one for one in options})


def _numbers(tree: dict[str, Any], kind: str, where: str, faults: list[str]) -> Any:
    whole, ends = kind == "int", tree[kind]
    try:
        low, high = (_number(one, whole) for one in ends)
        step = _number(tree["step"], whole) if tree.get("step") is not None else (1 if whole else None)
    except (TypeError, ValueError):
        faults.append(f"{where}: {kind}: got {ends!r}, step {tree.get('step')!r}, need {_EXAMPLE}")
        return tree
    log = tree.get("log", False)
    if low >= high or (step is not None and step <= 0) or not isinstance(log, bool) or (log and low <= 0):
        faults.append(f"{where}: need low < high, a step over 0, and low over 0 where log is true; got {tree}")
        return tree
    if log and tree.get("step") is not None:
        faults.append(f"{where}: step does not go with log")
        return tree
    if step is not None:  # the last value that is reached by steps is the highest
        high = low + step * int((high - low) / step + 1e-9)
    return Numbers(low, high, None if log and not whole else step, log, whole)


def _number(value: Any, whole: bool) -> float | int:
    """YAML reads 1e-4, which has no point, as text."""
    if isinstance(value, bool):
        raise TypeError(value)
    number = float(value)
    if number in (float("inf"), float("-inf")) or number != number:
        raise ValueError(value)
    if whole and number != int(number):
        raise ValueError(value)
    return int(number) if whole else number


def merged(recipe: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's tree with a drawn tree laid over it; `train.lr` is the key `lr` in `train`.

    Mappings are merged, all else is replaced.
    """
    result = dict(recipe)
    for key, value in values.items():
        first, _, rest = str(key).partition(".")
        given, old = ({rest: value} if rest else value), result.get(first)
        result[first] = merged(old if isinstance(old, dict) else {}, given) if isinstance(given, dict) else given
    return result
