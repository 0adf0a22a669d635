"""What trainings come to: of one network, of several seeds or folds, of the variants of an ablation."""

from __future__ import annotations

from typing import Literal

from leansort.core.files.typed_result import TypedResult
from leansort.measure.accuracy.metrics import DescribedCoverage
from leansort.measure.confidence import MeanInterval
from leansort.measure.robustness.stressed_crops import StressFacts
from leansort.measure.robustness.stressed_score import StressedScore
from leansort.workflows.training.quick.probe_result import ProbeScore


class SingleTrainingResult(TypedResult):
    """What `leansort train` comes to, of one network.

    Attributes:
        val_macro_f1: macro-F1 on val of the best epoch, which is the one that was kept.
        macro_f1_classes: the classes that macro-F1 was taken over.
        epoch: the best one, from 1.
        folder: of the network.
        probe: what a linear probe of the same data came to, where one was made in this folder.
    """

    val_macro_f1: float
    macro_f1_classes: DescribedCoverage
    epoch: int
    folder: str
    probe: ProbeScore | None = None

    def headline(self) -> dict[str, str]:
        """Return the score, its epoch and where the network is."""
        score = f"{self.val_macro_f1:.4f} {self.macro_f1_classes.over}"
        shown = {"val macro-F1": score, "epoch": str(self.epoch), "folder": self.folder}
        return shown | ({"linear probe": str(self.probe)} if self.probe else {})


class TrainingResult(TypedResult):
    """What a finished training of a group came to; written last, so that a training that has it is whole.

    Attributes:
        name: of the training, and its folder in the group's folder.
        seed: that it was trained with.
        recipe: digest of the resolved recipe.
        data: digest of the manifest, its splits included.
        val_macro_f1: of the best epoch; None where val was trained on.
        epoch: the one that was kept, from 1.
        epochs: how many were trained.
        seconds: that they took.
    """

    name: str
    seed: int
    recipe: str
    data: str
    val_macro_f1: float | None
    epoch: int
    epochs: int
    seconds: float


class RepeatedTraining(TrainingResult):
    """One of several trainings of a recipe.

    Attributes:
        fold: the one that was val, from 0; None where the manifest's own splits were.
    """

    fold: int | None = None


class RepeatedSummary(TypedResult):
    """Mean and spread of several trainings of a recipe.

    Attributes:
        over: what is counted: folds where there are any, each the mean of its seeds; else seeds.
        epoch: mean of the epochs that were kept.
        n: number of seeds or folds.
        mean: of their macro-F1 on val.
        std: its standard deviation, with n - 1; None of a single value.
        low: lower end of the 95 % t-interval of the mean; None of a single value.
        high: its upper end.
    """

    over: Literal["seeds", "folds"]
    epoch: float
    n: int
    mean: float
    std: float | None
    low: float | None
    high: float | None


class RepeatedResult(TypedResult):
    """Several trainings of a recipe.

    Attributes:
        complete: whether all that were wanted are done.
        runs: the trainings that are done, in order.
        summary: of them; None where there are none.
        refit: the training on train and val; None where there is none.
    """

    complete: bool = True
    runs: tuple[RepeatedTraining, ...] = ()
    summary: RepeatedSummary | None = None
    refit: TrainingResult | None = None

    def headline(self) -> dict[str, str]:
        """Return mean, spread and number."""
        shown = {"trainings": str(len(self.runs))}
        if self.summary:
            spread = "" if self.summary.std is None else f" ± {self.summary.std:.4f}"
            shown["val macro-F1"] = f"{self.summary.mean:.4f}{spread} ({self.summary.n} {self.summary.over})"
        return shown


class VariantStress(TypedResult):
    """What the networks of a variant keep under stress.

    Attributes:
        scores: of each training, in the order of `runs`.
        macro_f1: of their means over the kinds.
        difference: to the base, of the seeds that both have; None of the base itself, and where they share no seed.
        verdict: `helps`, `hurts` or `not told apart`; empty where there is no difference.
    """

    scores: tuple[StressedScore, ...]
    macro_f1: MeanInterval
    difference: MeanInterval | None
    verdict: str


class VariantResult(TypedResult):
    """A variant of an ablation.

    Attributes:
        name: of the variant.
        overrides: that make it from the base.
        runs: a training for each seed.
        val_macro_f1: of those trainings.
        seconds: mean of their times.
        difference: to the base, of the seeds that both have; None of the base itself, and where they share no seed.
        verdict: `helps`, `hurts` or `not told apart`; empty where there is no difference.
        stress: what they keep under stress; None where that was not asked for.
    """

    name: str
    overrides: tuple[str, ...]
    runs: tuple[TrainingResult, ...]
    val_macro_f1: MeanInterval
    seconds: float
    difference: MeanInterval | None
    verdict: str
    stress: VariantStress | None = None


class AblationResult(TypedResult):
    """What each ingredient of a recipe is worth.

    Attributes:
        complete: whether every variant has all its seeds.
        variants: those that have a training, the base first.
        stress: what stress their networks were measured under; None where that was not asked for.
    """

    complete: bool
    variants: tuple[VariantResult, ...]
    stress: StressFacts | None = None

    def headline(self) -> dict[str, str]:
        """Return each variant's mean and verdict."""
        return {variant.name: _headline(variant) for variant in self.variants}


def _headline(variant: VariantResult) -> str:
    text = f"{variant.val_macro_f1.mean:.4f} {variant.verdict}".strip()
    stress = variant.stress
    return text if stress is None else f"{text}, under stress {stress.macro_f1.mean:.4f} {stress.verdict}".strip()
