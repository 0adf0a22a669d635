"""What a compression came to, as `compress.json` holds it."""

from __future__ import annotations

from typing import Literal, TypedDict

from pydantic import Field

from leansort.compress.compress_config import Timed
from leansort.compress.layer_sensitivity import LayerReport
from leansort.compress.pipeline.accuracy_budget import BudgetVerdict
from leansort.compress.pipeline.step_record import StepRecord, StepState, StepTry
from leansort.core.files.typed_result import JsonObject, TypedResult
from leansort.measure.accuracy.calibration import Calibration
from leansort.measure.accuracy.metrics import Interval
from leansort.measure.measurement import Measurement
from leansort.measure.robustness.stressed_crops import StressFacts

START = "start"  # names the network that a pipeline began with, and its state


class PipelineSize(TypedDict):
    """The size of what a pipeline holds: its input's side, weights, multiply-adds for a picture, the bundle's bytes."""

    input_size: int
    parameters: int
    macs: int
    bytes: int


class PipelineStep(TypedResult):
    """The start of a pipeline or one of its steps, and the size of what the pipeline holds after it.

    Attributes:
        name: `start`, or the step's number and pass, e.g. `1-prune`.
        pass_name: of the pass; `pass` in JSON; empty at the start.
        settings: of the pass.
        state: `start`, or what became of the step.
        reason: of the state, one line; empty at the start.
        fraction: of the pass's full strength, from 0 to 1.
        notes: what the pass tells of its change.
        note: what the pass does not bring, for people.
        speed: how many times as fast as what the step was given, with its 95 % interval; None where it was not timed.
        verdict: how it compares with the start; None where it was not judged.
        tries: all tries of the step, in order.
        input_size: side in pixels of the input of the network that the pipeline holds after the step; 0 where it was
            not recorded.
        parameters: weights of that network.
        macs: its multiply-adds for one picture.
        bytes: size of its bundle.
    """

    name: str
    pass_name: str = Field(default="", alias="pass")
    settings: JsonObject = Field(default_factory=dict)
    state: Literal["start"] | StepState
    reason: str = ""
    fraction: float = 1.0
    notes: JsonObject = Field(default_factory=dict)
    note: str = ""
    speed: Interval | None = None
    verdict: BudgetVerdict | None = None
    tries: tuple[StepTry, ...] = ()
    input_size: int = 0
    parameters: int
    macs: int
    bytes: int

    @property
    def is_held(self) -> bool:
        """Whether the pipeline went on with what this step made."""
        return self.state in ("start", "accepted")

    @classmethod
    def of_record(cls, record: StepRecord, size: PipelineSize) -> PipelineStep:
        """A finished step, with the size of what the pipeline holds after it."""
        return cls.model_validate({**dict(record), **size})


class StepLatency(Measurement):
    """The latency of a step's bundle on an engine.

    Attributes:
        step: name of the step.
    """

    step: str


class StepBudget(TypedResult):
    """What steps were allowed to cost where they named nothing else, and what judged and timed them.

    Attributes:
        max_f1_drop: of macro-F1 on val, below that of the start.
        max_class_drop: of any one class's F1.
        max_stress_drop: of the mean macro-F1 under stress; None where any was allowed.
        sure: whether the whole 95 % interval of a drop had to stay within the budget.
        retries: how often a step that broke the budget was tried again weaker.
        timed: what latencies are of: `model` or `label`, as in `CompressConfig`.
        seconds: least time of each latency.
        engine: that judged and timed the steps; empty where it was chosen by each bundle's format.
        threads: of that engine.
    """

    max_f1_drop: float
    max_class_drop: float
    max_stress_drop: float | None = None
    sure: bool
    retries: int
    timed: Timed = "model"
    seconds: float
    engine: str
    threads: int


class CompressResult(TypedResult):
    """What a compression came to.

    Attributes:
        title: of the recipe, for people.
        steps: the start and every step, in order.
        latency: of the start and of every accepted step, on every engine that reads it, in turns.
        layers: what each layer costs and how sensitive it is, where that was asked for.
        warning: where other work disturbed the timing; empty where nothing did.
        budget: what the steps were allowed to cost, and what judged and timed them.
        calibration: temperature and threshold of the bundle that came out.
        stress: what stress the steps were measured under; None where that was not asked for.
    """

    title: str
    steps: tuple[PipelineStep, ...] = Field(min_length=1)
    latency: tuple[StepLatency, ...]
    layers: tuple[LayerReport, ...]
    warning: str
    budget: StepBudget
    calibration: Calibration
    stress: StressFacts | None = None

    @property
    def held(self) -> list[PipelineStep]:
        """The start and the accepted steps: what the pipeline held, one after the other."""
        return [step for step in self.steps if step.is_held]

    def headline(self) -> dict[str, str]:
        """Return macro-F1, size and multiply-adds before and after."""
        first, last = self.held[0], self.held[-1]
        shown = {"steps": f"{len(self.held) - 1} of {len(self.steps) - 1} accepted"}
        if first.verdict and last.verdict:
            shown["macro-F1 on val"] = f"{last.verdict.macro_f1.value:.4f} (start {first.verdict.macro_f1.value:.4f})"
            before, now = first.verdict.stress, last.verdict.stress
            if before and now:
                shown["macro-F1 under stress"] = f"{now.macro_f1.value:.4f} (start {before.macro_f1.value:.4f})"
        shown["size"] = f"{last.bytes / 1e6:.2f} MB (start {first.bytes / 1e6:.2f} MB)"
        return {**shown, "multiply-adds": f"{last.macs / 1e6:.1f} M (start {first.macs / 1e6:.1f} M)"}
