"""What a search's winner is, and what it is worth with several seeds, as `best.json` holds it."""

from __future__ import annotations

from leansort.core.files.typed_result import TypedResult
from leansort.measure.measurement import Measurement
from leansort.measure.robustness.stressed_score import StressedScore
from leansort.search.trials.trial_outcome import OutcomeKind
from leansort.workflows.training.training_results import RepeatedResult


class SeedResult(TypedResult):
    """One seed's bundle.

    Attributes:
        name: of the run.
        bundle: its file.
        trained_f1: macro-F1 on val of the network as it was trained.
        macro_f1: of the bundle, by the target's engine.
        costs: of the bundle, by name.
        measurements: of those that were timed.
        note: where other work disturbed the timing.
        stress: what the bundle keeps under stress, where the search asked for that.
    """

    name: str
    bundle: str
    trained_f1: float
    macro_f1: float
    costs: dict[str, float]
    measurements: tuple[Measurement, ...]
    note: str
    stress: StressedScore | None = None


class BestTrialResult(TypedResult):
    """A search's winner.

    Attributes:
        trial: its number.
        kind: what became of it.
        macro_f1: its macro-F1 on val, of one seed, which is no claim.
        stressed_macro_f1: mean macro-F1 under stress, of the same seed; None where that was not measured.
        costs: it was found to have, by name.
        cost_names: the costs that the search's objectives and limits are about.
        folder: of its recipe and its trainings.
        seeds: its trainings; None where none was asked for.
        claims: what each seed's bundle scores and costs.
    """

    trial: int
    kind: OutcomeKind
    macro_f1: float
    stressed_macro_f1: float | None = None
    costs: dict[str, float]
    cost_names: tuple[str, ...]
    folder: str
    seeds: RepeatedResult | None = None
    claims: tuple[SeedResult, ...] = ()

    def headline(self) -> dict[str, str]:
        """Return the trial, its score and the seeds' mean."""
        shown = {"trial": str(self.trial), "macro-F1 of one seed": f"{self.macro_f1:.4f}"}
        return {**shown, **(self.seeds.headline() if self.seeds else {}), "folder": self.folder}
