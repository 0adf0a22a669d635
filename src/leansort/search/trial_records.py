"""What is kept of a trial, beside what Optuna keeps: enough to run it again alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from leansort.core.files import json_documents
from leansort.search.objectives import F1, Objectives
from leansort.search.pareto import front
from leansort.search.pareto_pruner import Curve

Kind = Literal["trained", "stopped", "over budget", "unfit", "duplicate"]
KINDS: dict[Kind, str] = {
    "trained": "trained to its last epoch",
    "stopped": "stopped at a rung, beaten by another",
    "over budget": "beyond a limit before training, never trained",
    "unfit": "no such network can be built, exported or trained",
    "duplicate": "the same recipe as an earlier trial, whose result it has",
}


@dataclass(frozen=True)
class TrialOutcome:
    """What became of a trial.

    Attributes:
        kind: see `KINDS`.
        costs: by name, as far as they were needed.
        f1: macro-F1 on val of the best epoch, of the compressed network where the recipe compresses; 0 of what was not
            trained.
        f1_interval: of that, 95 % by bootstrap over the val crops; None of what was not trained to its end.
        rungs: macro-F1 at each rung that it reached.
        epochs: that it was trained.
        note: why, for people.
        measurements: the costs that were timed, with their intervals.
        seconds: it took.
    """

    kind: Kind
    costs: dict[str, float] = field(default_factory=dict)
    f1: float = 0.0
    f1_interval: tuple[float, float] | None = None
    rungs: dict[int, float] = field(default_factory=dict)
    epochs: int = 0
    note: str = ""
    measurements: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {**vars(self), "rungs": {str(rung): score for rung, score in self.rungs.items()}}

    @staticmethod
    def of_json(tree: dict[str, Any], where: str = "trial") -> TrialOutcome:
        """The inverse; `where` names the trial in the error.

        Raises:
            IntegrityError: it is not what was kept.
        """
        return json_documents.validate(tree, TrialOutcome, f"{where}: outcome")


@dataclass(frozen=True)
class TrialRecord:
    """A finished trial.

    Attributes:
        number: from 0.
        params: open values by name.
        recipe: the whole recipe, resolved.
        digest: of it.
        outcome: what became of it.
        values: of the objectives, in their order.
        feasible: whether every limit holds.
        ended_s: since the study's first trial began.
    """

    number: int
    params: dict[str, Any]
    recipe: dict[str, Any]
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


def pareto_front(records: Sequence[TrialRecord], objectives: Objectives) -> list[TrialRecord]:
    """The Pareto front of what counts, by macro-F1, the highest first."""
    counted = [record for record in records if record.counts]
    result = [counted[at] for at in front([objectives.points(record.values) for record in counted])]
    return sorted(result, key=lambda record: (-record.outcome.f1, record.number))


def within_limits(records: Sequence[TrialRecord], limits: dict[str, float]) -> list[TrialRecord]:
    """Those that count and keep to further limits: of macro-F1 the least, of costs the most."""
    return [record for record in records if record.counts and all(_keeps(record, *limit) for limit in limits.items())]


def _keeps(record: TrialRecord, name: str, limit: float) -> bool:
    if name == F1:
        return record.outcome.f1 >= limit
    return record.outcome.costs.get(name, float("inf")) <= limit
