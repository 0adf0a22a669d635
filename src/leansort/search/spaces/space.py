"""Search spaces: a recipe's keys whose values are left open, written in the place where the value would stand.

    train.lr: {float: [1.0e-4, 1.0e-2], log: true}
    train.batch: {choice: [16, 32, 64]}
    arch.width: {float: [0.25, 1.0], step: 0.25}
    arch: {choice: {zoo: {base: {choice: [mnasnet, tiny_s]}}, wide: {base: lean_v4, width: {float: [1.0, 2.0]}}}}

What stands below an option is open only where that option is taken, so spaces are trees. A parameter's name is its
place: `arch`, `arch=wide.width`, `arch.model.backbone[2]=Conv[2][0]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TypeAlias

from pydantic import JsonValue

from leansort.core.errors import UserError, did_you_mean
from leansort.core.files.typed_result import JsonObject

Scalar = bool | int | float | str | None


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

    def holds(self, value: object) -> bool:
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

    options: dict[Scalar, SpaceNode]

    def holds(self, value: object) -> bool:
        """Whether a value is a label."""
        return any(value == label and type(value) is type(label) for label in self.options)


Domain = Numbers | Choice
# A parsed tree: plain values, and a Domain in the place of each open one.
SpaceNode: TypeAlias = "Numbers | Choice | dict[str, SpaceNode] | list[SpaceNode] | Scalar"
Ask = Callable[[str, Domain], Scalar]


def draw_candidate(node: SpaceNode, ask: Ask) -> JsonObject:
    """The tree with every open value settled: recipe keys and their values.

    Args:
        node: a parsed space.
        ask: gives the value of a parameter: a number, or a choice's label.

    Raises:
        UserError: the space is no mapping of recipe keys, which `parse_space` refuses.
    """
    drawn = _draw(node, ask, "")
    if not isinstance(drawn, dict):
        raise UserError(f"space: got {drawn!r}, need recipe keys, e.g. train.lr")
    return drawn


def _draw(node: SpaceNode, ask: Ask, name: str) -> JsonValue:
    if isinstance(node, Numbers):
        return ask(name, node)
    if isinstance(node, Choice):
        label = ask(name, node)
        return _draw(node.options[label], ask, f"{name}={label}")
    if isinstance(node, dict):
        return {key: _draw(value, ask, _below(name, key)) for key, value in node.items()}
    if isinstance(node, list):
        return [_draw(value, ask, f"{name}[{at}]") for at, value in enumerate(node)]
    return node


def covers(node: SpaceNode) -> Iterator[JsonObject]:
    """Drawn trees in which every label of every choice occurs, each number at its least."""
    seen: set[tuple[str, Scalar]] = set()
    every = [domain.options for domain in parameters(node).values() if isinstance(domain, Choice)]
    for turn in range(1 + sum(map(len, every)) * max(map(len, every), default=0)):
        before = len(seen)
        tree = draw_candidate(node, partial(_unseen, seen, turn))
        if not turn or len(seen) > before:
            yield tree


def _unseen(seen: set[tuple[str, Scalar]], turn: int, name: str, domain: Domain) -> Scalar:
    """A label not drawn before; where there is none, one after the other, for open values may stand below them."""
    if isinstance(domain, Numbers):
        return int(domain.low) if domain.whole else domain.low
    labels = list(domain.options)
    label = next((item for item in labels if (name, item) not in seen), labels[turn % len(labels)])
    seen.add((name, label))
    return label


def parameters(node: SpaceNode, name: str = "") -> dict[str, Domain]:
    """Every parameter of a parsed tree by name, whatever options it needs."""
    if isinstance(node, Numbers):
        return {name: node}
    if isinstance(node, Choice):
        below = [parameters(option, f"{name}={label}") for label, option in node.options.items()]
        return {name: node} | {key: value for item in below for key, value in item.items()}
    places: list[tuple[str, SpaceNode]] = []
    if isinstance(node, dict):
        places = [(_below(name, key), value) for key, value in node.items()]
    elif isinstance(node, list):
        places = [(f"{name}[{at}]", value) for at, value in enumerate(node)]
    return {key: domain for place, value in places for key, domain in parameters(value, place).items()}


def require_known(given: Mapping[str, Scalar], known: Mapping[str, Domain], where: str) -> None:
    """Check parameters that somebody names.

    Raises:
        UserError: one is no parameter, or its value is none that it takes; the message lists every fault.
    """
    faults = []
    for name, value in given.items():
        if name not in known:
            faults.append(f"{where}: {name!r} is no parameter of the space{did_you_mean(name, known)}")
        elif not known[name].holds(value):
            faults.append(f"{where}: {name}: got {value!r}, allowed: {describe_parameter(known[name])}")
    if faults:
        raise UserError("; ".join(faults))


def describe_parameter(domain: Domain) -> str:
    """What a parameter takes, for people."""
    if isinstance(domain, Choice):
        return ", ".join(str(label) for label in domain.options)
    return f"{domain.low:g} to {domain.high:g}" + (f" in steps of {domain.step:g}" if domain.step else "")


def _below(name: str, key: str) -> str:
    return f"{name}.{key}" if name else str(key)


def step_values(low: float, step: float, count: int) -> float:
    """So many steps from `low`, in decimals, as Optuna counts: 0.7 and two tenths are 0.9."""
    result = Decimal(str(low)) + count * Decimal(str(step))
    return int(result) if isinstance(low, int) and isinstance(step, int) else float(result)


def merge_parameters(recipe: Mapping[str, JsonValue], values: Mapping[str, JsonValue]) -> JsonObject:
    """A recipe's tree with a drawn tree laid over it; `train.lr` is the key `lr` in `train`.

    Mappings are merged, all else is replaced.
    """
    result = dict(recipe)
    for key, value in values.items():
        first, _, rest = str(key).partition(".")
        given: JsonValue = {rest: value} if rest else value
        old = result.get(first)
        result[first] = (
            merge_parameters(old if isinstance(old, dict) else {}, given) if isinstance(given, dict) else given
        )
    return result
