"""What a run left behind, as its page is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from leansort.contest.score_result import ScoreResult
from leansort.core.bundle import Bundle
from leansort.measure.accuracy.calibration import Calibration
from leansort.measure.accuracy.ground_truth import GroundTruth
from leansort.recipe.target import Target
from leansort.runtime.predictor import Prediction
from leansort.workflows.deploy.bench import BenchResult
from leansort.workflows.deploy.evidence.goal_rows import RunGoal
from leansort.workflows.training.quick.probe_result import ProbeScore

Epoch = dict[str, int | float | None]  # a record of `metrics.jsonl`


class TitledRecipe(BaseModel):
    """A run's recipe, of which a page needs its name, title, target and goal; the rest is shown as it stands."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    name: str
    title: str = ""
    target: Target = Target()
    goal: RunGoal | None = None


@dataclass(frozen=True)
class RunEvidence:
    """All that a run's page is made of.

    Attributes:
        recipe: the resolved recipe.
        bundle: the run's bundle.
        size_bytes: of the bundle's file.
        score: of the scored split.
        truth: its ground truth.
        predictions: of the bundle, in the order of `truth`.
        bench: the bundle's latencies.
        calibration: fitted on val; None where there is none.
        history: a record an epoch.
        probe: a linear probe of the same data; None where there is none.
    """

    recipe: TitledRecipe
    bundle: Bundle
    size_bytes: int
    score: ScoreResult
    truth: GroundTruth
    predictions: Sequence[Prediction]
    bench: BenchResult
    calibration: Calibration | None
    history: Sequence[Epoch]
    probe: ProbeScore | None = None
