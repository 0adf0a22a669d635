"""What proposes candidates: Optuna's samplers, seeded anew for every trial, so that a study goes on as unbroken."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

from leansort.core.errors import UserError
from leansort.core.seeds import Seeds
from leansort.search.config import SamplerConfig
from leansort.search.space import Choice, Domain, Numbers, Scalar

MOST_OF_A_GRID = 10_000


def sampler(config: SamplerConfig, seeds: Seeds, trial: int) -> Any:
    """The sampler that proposes a trial; a grid's trials are all waiting already."""
    from optuna import samplers

    seed = seeds.child(f"search/trial-{trial}").value % 2**32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is experimental today says so at each call
        if config.kind == "tpe":
            return samplers.TPESampler(seed=seed, n_startup_trials=config.startup, multivariate=True, group=True)
        if config.kind == "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=config.startup, warn_independent_sampling=False)
        if config.kind == "nsga2":
            return samplers.NSGAIISampler(seed=seed, population_size=config.population)
        if config.kind == "nsga3":
            return samplers.NSGAIIISampler(seed=seed, population_size=config.population)
        return samplers.RandomSampler(seed=seed)


def suggested(trial: Any, name: str, domain: Domain) -> Scalar:
    """Ask a trial of Optuna for a parameter."""
    if isinstance(domain, Choice):
        value: Scalar = trial.suggest_categorical(name, list(domain.options))
        return value
    if domain.whole:
        step = 1 if domain.step is None else int(domain.step)
        return int(trial.suggest_int(name, int(domain.low), int(domain.high), step=step, log=domain.log))
    return float(trial.suggest_float(name, domain.low, domain.high, step=domain.step, log=domain.log))


def grid(node: Any, seeds: Seeds) -> list[dict[str, Scalar]]:
    """Every combination of a parsed space, in a drawn order.

    Raises:
        UserError: a number is open without steps, or there are more than `MOST_OF_A_GRID`.
    """
    found = list(itertools.islice(_points(node, ""), MOST_OF_A_GRID + 1))
    if len(found) > MOST_OF_A_GRID:
        raise UserError(f"sampler grid: more than {MOST_OF_A_GRID:,} combinations; take random, or a smaller space")
    order = seeds.child("search/grid").numpy().permutation(len(found))
    return [found[at] for at in order]


def _points(node: Any, name: str) -> Iterator[dict[str, Scalar]]:
    if isinstance(node, Numbers):
        if node.step is None:
            raise UserError(f"sampler grid: {name} is open without steps; give it a step or a choice")
        count = round((node.high - node.low) / node.step) + 1
        for at in range(count):
            yield {name: node.low + at * node.step}
    elif isinstance(node, Choice):
        for label, option in node.options.items():
            yield from ({name: label, **point} for point in _points(option, f"{name}={label}"))
    elif isinstance(node, dict):
        yield from _together([(value, f"{name}.{key}" if name else str(key)) for key, value in node.items()])
    elif isinstance(node, list):
        yield from _together([(value, f"{name}[{at}]") for at, value in enumerate(node)])
    else:
        yield {}


def _together(places: list[tuple[Any, str]]) -> Iterator[dict[str, Scalar]]:
    """Every point of the first place with every one of those behind it."""
    if not places:
        yield {}
        return
    (node, name), *others = places
    for point in _points(node, name):
        yield from (point | rest for rest in _together(others))
