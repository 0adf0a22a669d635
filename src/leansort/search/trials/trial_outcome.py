"""What became of a candidate: costs, score and how far it was trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from pydantic import TypeAdapter

from leansort.core.files import json_documents
from leansort.core.files.typed_result import JsonObject
from leansort.measure.measurement import Measurement
from leansort.measure.robustness.stressed_score import StressedScore

OutcomeKind = Literal["trained", "stopped", "over budget", "unfit", "duplicate"]
KINDS: dict[OutcomeKind, str] = {
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
        stress: what it keeps under stress; None where that was not measured.
    """

    kind: OutcomeKind
    costs: dict[str, float] = field(default_factory=dict)
    f1: float = 0.0
    f1_interval: tuple[float, float] | None = None
    rungs: dict[int, float] = field(default_factory=dict)
    epochs: int = 0
    note: str = ""
    measurements: tuple[Measurement, ...] = ()
    seconds: float = 0.0
    stress: StressedScore | None = None

    @property
    def stressed_f1(self) -> float | None:
        """Mean macro-F1 under stress; None where it was not measured."""
        return self.stress.macro_f1.value if self.stress else None

    def to_json(self) -> JsonObject:
        """As plain data."""
        tree: JsonObject = _adapter().dump_python(self, mode="json")
        return tree

    @staticmethod
    def from_json(tree: object, where: str = "trial") -> TrialOutcome:
        """The inverse.

        Args:
            tree: the parsed JSON.
            where: names the trial in the error.

        Raises:
            IntegrityError: it is not what was kept.
        """
        return json_documents.validate(tree, TrialOutcome, f"{where}: outcome")


@cache
def _adapter() -> TypeAdapter[TrialOutcome]:
    return TypeAdapter(TrialOutcome)
