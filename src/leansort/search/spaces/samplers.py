"""How a space is asked for values: parameter by parameter of a trial, or as a grid of all combinations.

What proposes the values is `trial_seeded_sampler`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from leansort.core.errors import UserError
from leansort.core.seeds import Seeds
from leansort.search.spaces.space import Choice, Domain, Numbers, Scalar, SpaceNode, step_values

if TYPE_CHECKING:
    from optuna.trial import Trial

MOST_OF_A_GRID = 10_000


def suggest(trial: Trial, name: str, domain: Domain) -> Scalar:
    """Ask a trial of Optuna for a parameter."""
    if isinstance(domain, Choice):
        return trial.suggest_categorical(name, list(domain.options))
    if domain.whole:
        step = 1 if domain.step is None else int(domain.step)
        return int(trial.suggest_int(name, int(domain.low), int(domain.high), step=step, log=domain.log))
    return float(trial.suggest_float(name, domain.low, domain.high, step=domain.step, log=domain.log))


def grid(node: SpaceNode, seeds: Seeds) -> list[dict[str, Scalar]]:
    """Every combination of a parsed space, in a drawn order.

    Raises:
        UserError: a number is open without steps, or there are more than `MOST_OF_A_GRID`.
    """
    result = list(itertools.islice(_points(node, ""), MOST_OF_A_GRID + 1))
    if len(result) > MOST_OF_A_GRID:
        raise UserError(f"sampler grid: more than {MOST_OF_A_GRID:,} combinations; take random, or a smaller space")
    order = seeds.child("search/grid").numpy().permutation(len(result))
    return [result[at] for at in order]


def _points(node: SpaceNode, name: str) -> Iterator[dict[str, Scalar]]:
    if isinstance(node, Numbers):
        if node.step is None:
            raise UserError(f"sampler grid: {name} is open without steps; give it a step or a choice")
        count = round((node.high - node.low) / node.step) + 1
        for at in range(count):
            yield {name: step_values(node.low, node.step, at)}
    elif isinstance(node, Choice):
        for label, option in node.options.items():
            yield from ({name: label, **point} for point in _points(option, f"{name}={label}"))
    elif isinstance(node, dict):
        yield from _together([(value, f"{name}.{key}" if name else str(key)) for key, value in node.items()])
    elif isinstance(node, list):
        yield from _together([(value, f"{name}[{at}]") for at, value in enumerate(node)])
    else:
        yield {}


def _together(places: list[tuple[SpaceNode, str]]) -> Iterator[dict[str, Scalar]]:
    """Every point of the first place with every one of those behind it."""
    if not places:
        yield {}
        return
    (node, name), *others = places
    for point in _points(node, name):
        yield from (point | rest for rest in _together(others))
