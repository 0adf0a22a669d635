"""The finished trials of a study: enough of each to run it again alone, and which of them are the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from leansort.core.errors import IntegrityError
from leansort.core.files.typed_result import JsonObject, TypedResult
from leansort.search.objectives import F1, STRESSED, Objectives
from leansort.search.pareto import front
from leansort.search.pareto_pruner import Curve
from leansort.search.spaces.space import Scalar
from leansort.search.trials.stored_trial import StoredTrial
from leansort.search.trials.trial_outcome import TrialOutcome

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


class TrialRecord(TypedResult):
    """A finished trial.

    Attributes:
        number: from 0.
        params: open values by name.
        recipe: the whole recipe, resolved.
        digest: of it.
        outcome: what became of it.
        values: of the objectives, in their order.
        feasible: whether every limit holds.
        ended_s: seconds since the study's first trial began.
    """

    number: int
    params: dict[str, Scalar]
    recipe: JsonObject
    digest: str
    outcome: TrialOutcome
    values: tuple[float, ...]
    feasible: bool
    ended_s: float

    @property
    def counts(self) -> bool:
        """Whether it is a result: trained to the end within all limits."""
        return self.outcome.kind == "trained" and self.feasible

    def compares(self, objectives: Objectives) -> bool:
        """Whether it was trained and what it costs is known, as halving needs of those it compares with."""
        known = all(name in self.outcome.costs for name in objectives.costs)
        return known and self.outcome.kind in ("trained", "stopped")

    def curve(self, objectives: Objectives) -> Curve:
        """What halving compares others with."""
        costs = tuple(self.outcome.costs[name] for name in objectives.costs)
        return Curve(self.number, costs, self.outcome.rungs, self.outcome.f1 if self.counts else None)


def read_records(storage: BaseStorage, name: str) -> list[TrialRecord]:
    """Every finished trial of a study, in order.

    Raises:
        IntegrityError: a trial is not what was written.
    """
    import optuna

    study = optuna.load_study(study_name=name, storage=storage)
    return finished_records([StoredTrial(trial) for trial in study.get_trials(deepcopy=False)])


def finished_records(trials: Sequence[StoredTrial]) -> list[TrialRecord]:
    """The records of those trials that have an outcome, in order; their times count from the first of `trials`."""
    first = min((trial.began for trial in trials if trial.began), default=None)
    return [_record(trial, first) for trial in trials if trial.is_finished and trial.attributes.outcome]


def _record(trial: StoredTrial, first: datetime | None) -> TrialRecord:
    attributes, ended = trial.attributes, trial.ended
    if ended is None or first is None:
        raise IntegrityError(f"{trial.name}: it is finished, but has no time")
    assert attributes.outcome is not None
    return TrialRecord(
        number=trial.number,
        params=trial.params,
        recipe=attributes.recipe,
        digest=attributes.digest,
        outcome=attributes.outcome,
        values=trial.values,
        feasible=trial.feasible,
        ended_s=(ended - first).total_seconds(),
    )


def pareto_front(records: Sequence[TrialRecord], objectives: Objectives) -> list[TrialRecord]:
    """The Pareto front of what counts, by macro-F1, the highest first."""
    counted = [record for record in records if record.counts]
    result = [counted[at] for at in front([objectives.points(record.values) for record in counted])]
    return sorted(result, key=lambda record: (-record.outcome.f1, record.number))


def within_limits(records: Sequence[TrialRecord], limits: Mapping[str, float]) -> list[TrialRecord]:
    """Those that count and keep to further limits: of both macro-F1 the least, of costs the most."""
    return [record for record in records if record.counts and all(_keeps(record, *limit) for limit in limits.items())]


def _keeps(record: TrialRecord, name: str, limit: float) -> bool:
    if name == F1:
        return record.outcome.f1 >= limit
    if name == STRESSED:
        return (record.outcome.stressed_f1 or 0.0) >= limit
    return record.outcome.costs.get(name, float("inf")) <= limit
