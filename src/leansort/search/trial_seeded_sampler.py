"""Optuna's samplers, seeded anew for every trial. Imported only where a study is worked on: it needs Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from optuna import samplers
from optuna.samplers import BaseSampler

from leansort.core.seeds import Seeds
from leansort.search.search_config import SamplerConfig
from leansort.search.spaces.space import Scalar

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState


class TrialSeededSampler(BaseSampler):
    """Asks a sampler that is seeded by the trial's number, which nobody knows before the trial is there.

    Workers that share a seed would otherwise begin with the same draws.
    """

    def __init__(self, config: SamplerConfig, seeds: Seeds) -> None:
        """Take the settings of Optuna's sampler, and the seeds of the study."""
        self._config, self._seeds = config, seeds
        self._number = -1
        self._sampler: BaseSampler | None = None

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        if self._sampler is None or trial.number != self._number:
            seed = self._seeds.child(f"search/trial-{trial.number}").value % 2**32
            self._number, self._sampler = trial.number, make_sampler(self._config, seed)
        return self._sampler

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the sampler of the trial."""
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Scalar]:
        """As the sampler of the trial."""
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Scalar:
        """As the sampler of the trial."""
        drawn: Scalar = self._of(trial).sample_independent(study, trial, param_name, param_distribution)
        return drawn

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """As the sampler of the trial."""
        self._of(trial).before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """As the sampler of the trial."""
        self._of(trial).after_trial(study, trial, state, values)


def make_sampler(config: SamplerConfig, seed: int) -> BaseSampler:
    """A sampler of Optuna; of a grid's trials, which are all queued before, a random one fills what is left open."""
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
