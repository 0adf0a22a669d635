"""What `leansort solve` comes to: the run of the chosen bundle, the goal, and one plain paragraph."""

from __future__ import annotations

from dataclasses import dataclass

from leansort.recipe.goal import Goal
from leansort.workflows.finishing.run_result import RunResult
from leansort.workflows.solving.candidate_pricing import CandidatePrice
from leansort.workflows.solving.candidate_work import CandidateOutcome
from leansort.workflows.training.quick.probe_curve import ProbeCurve


@dataclass(frozen=True)
class Advice:
    """Something that would help, and why that is thought.

    Attributes:
        what: to do.
        evidence: that was measured.
    """

    what: str
    evidence: str

    def __str__(self) -> str:
        """As one sentence."""
        return f"{self.what}: {self.evidence}"


@dataclass(frozen=True)
class StressFigures:
    """What the bundle keeps in bad conditions.

    Attributes:
        level: of all kinds.
        crops: that were put under stress.
        macro_f1: mean over the kinds.
        kept: mean fraction of the clean macro-F1.
        worst: the kind with the lowest macro-F1.
        worst_macro_f1: of that kind.
    """

    level: int
    crops: int
    macro_f1: float
    kept: float
    worst: str
    worst_macro_f1: float


class SolveResult(RunResult):
    """What a solve comes to; the figures of `RunResult` are those of the chosen bundle.

    Attributes:
        goal: what was asked.
        met: whether all of it was reached, macro-F1 on the scored split.
        chosen: name of the recipe that was taken, by val.
        paragraph: all of it in plain words.
        advice: what would help, the most promising first.
        candidates: those that were tried, in order.
        prices: what all recipes cost before training.
        skipped: stages that were left out, and why.
        stressed: what is kept under stress; None where that was skipped.
        curve: of a linear probe with half of the photos and with all; None where that was skipped.
        teacher_macro_f1: on val, of the best teacher; None where there is none.
        doubtful_labels: labels that count as another class; None where that was skipped.
        hours: that all stages took.
    """

    goal: Goal
    met: bool
    chosen: str
    paragraph: str
    advice: tuple[Advice, ...]
    candidates: tuple[CandidateOutcome, ...]
    prices: tuple[CandidatePrice, ...]
    skipped: dict[str, str]
    stressed: StressFigures | None = None
    curve: ProbeCurve | None = None
    teacher_macro_f1: float | None = None
    doubtful_labels: int | None = None
    hours: float

    def headline(self) -> dict[str, str]:
        """Return whether the goal is met, then the figures of the chosen bundle."""
        return {"goal": "met" if self.met else "missed", "recipe": self.chosen, **super().headline()}


def solve_text(result: SolveResult) -> str:
    """Lay a result out as text: the limits, where things are, and the paragraph."""
    lines = [f"{item.name:14} recipe tried, val macro-F1 {item.macro_f1}" for item in result.candidates]
    lines += [f"skipped        {name}: {why}" for name, why in result.skipped.items()]
    lines += [f"goal           {item}" for item in result.limits]
    lines += [f"bundle         {result.bundle}", f"report         {result.report}", "", result.paragraph]
    return "\n".join(lines)
