"""What proposes candidates: Optuna's samplers, seeded anew for every trial, so that a study goes on as unbroken."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

from leansort.core.errors import UserError
from leansort.core.seeds import Seeds
from leansort.search.search_config import SamplerConfig
from leansort.search.space import Choice, Domain, Numbers, Scalar, step_values

MOST_OF_A_GRID = 10_000


def sampler(config: SamplerConfig, seeds: Seeds) -> Any:
    """What proposes a study's trials, each from its own seed; a grid's trials are all waiting already."""
    from optuna.samplers import BaseSampler

    class ByTrial(BaseSampler):
        """Asks a sampler that is seeded by the trial's number, which nobody knows before the trial is there.

        Workers that share a seed would else begin with the same draws.
        """

        def __init__(self) -> None:
            self._number, self._made = -1, None

        def _of(self, trial: Any) -> Any:
            if trial.number != self._number:
                seed = seeds.child(f"search/trial-{trial.number}").value % 2**32
                self._number, self._made = trial.number, _seeded(config, seed)
            return self._made

        def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
            return self._of(trial).infer_relative_search_space(study, trial)

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
            return self._of(trial).sample_relative(study, trial, search_space)

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

        def before_trial(self, study: Any, trial: Any) -> None:
            self._of(trial).before_trial(study, trial)

        def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
            self._of(trial).after_trial(study, trial, state, values)

    return ByTrial()


def _seeded(config: SamplerConfig, seed: int) -> Any:
    from optuna import samplers

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


def suggest(trial: Any, name: str, domain: Domain) -> Scalar:
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
    result = list(itertools.islice(_points(node, ""), MOST_OF_A_GRID + 1))
    if len(result) > MOST_OF_A_GRID:
        raise UserError(f"sampler grid: more than {MOST_OF_A_GRID:,} combinations; take random, or a smaller space")
    order = seeds.child("search/grid").numpy().permutation(len(result))
    return [result[at] for at in order]


def _points(node: Any, name: str) -> Iterator[dict[str, Scalar]]:
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


def _together(places: list[tuple[Any, str]]) -> Iterator[dict[str, Scalar]]:
    """Every point of the first place with every one of those behind it."""
    if not places:
        yield {}
        return
    (node, name), *others = places
    for point in _points(node, name):
        yield from (point | rest for rest in _together(others))
