"""What became of a step of a pipeline: its tries, its verdict and what it left, as `step.json` holds it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from leansort.compress.pipeline.accuracy_budget import BudgetVerdict
from leansort.core.files.typed_result import JsonObject, TypedResult
from leansort.measure.accuracy.metrics import Interval

StepState = Literal["accepted", "refused", "left alone"]


class StepTry(TypedResult):
    """One try of a step.

    Attributes:
        fraction: of the pass's full strength, from 0 to 1.
        state: whether it kept to the budget; `left alone` where it gained no speed or changed nothing.
        reason: of the state, one line.
    """

    fraction: float
    state: StepState
    reason: str


class StepRecord(TypedResult):
    """A step that is finished.

    Attributes:
        name: its number and its pass, e.g. `1-prune`.
        pass_name: of its pass; `pass` in JSON.
        settings: of the pass.
        state: `accepted`: the pipeline goes on with what it made; else with what the step was given.
        reason: of the state, one line.
        fraction: of the pass's full strength that the state is about, from 0 to 1.
        notes: what the pass tells of its change.
        note: what the pass does not bring, for people.
        speed: how many times as fast as what the step was given, with its 95 % interval; None where it was not timed.
        verdict: how it compares with the network the pipeline began with; None where it was not judged.
        tries: all tries, in order.
    """

    name: str
    pass_name: str = Field(alias="pass")
    settings: JsonObject = Field(default_factory=dict)
    state: StepState
    reason: str
    fraction: float = 1.0
    notes: JsonObject = Field(default_factory=dict)
    note: str = ""
    speed: Interval | None = None
    verdict: BudgetVerdict | None = None
    tries: tuple[StepTry, ...]


class CutNote(TypedResult):
    """What a pass tells of its change, kept since the change may rest on measured times.

    Attributes:
        notes: as plain data.
        left_alone: why nothing was changed; empty where something was.
    """

    notes: JsonObject
    left_alone: str
