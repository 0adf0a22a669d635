"""What a step may cost, on val as it is and under stress, and whether it kept to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leansort.measure.accuracy.metrics import Interval, macro_f1_interval, paired_difference, per_class
from leansort.measure.robustness.stressed_crops import StressedCrops
from leansort.measure.robustness.stressed_score import score_under_stress, stressed_drop

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Budget:
    """How much F1 may fall.

    Attributes:
        f1: macro-F1.
        one_class: F1 of any single class.
        sure: whether the whole 95 % interval of the macro-F1's drop has to stay within `f1`, and that of the drop under
            stress within `stress`.
        stress: mean macro-F1 under stress; None allows any.
    """

    f1: float
    one_class: float
    sure: bool
    stress: float | None = None


@dataclass(frozen=True)
class StressedAnswers:
    """What the network that a pipeline began with, and another one, say of crops under stress.

    Attributes:
        crops: the crops.
        start_kn: class of each crop under each kind, by the first.
        now_kn: the same by the other.
    """

    crops: StressedCrops
    start_kn: Ints
    now_kn: Ints


@dataclass(frozen=True)
class StressVerdict:
    """How a step compares under stress with the network the pipeline began with.

    Attributes:
        macro_f1: mean over the kinds, with its 95 % interval.
        drop: of that mean, positive where the step is worse, with its paired 95 % interval.
        kinds: macro-F1 of each kind.
    """

    macro_f1: Interval
    drop: Interval
    kinds: dict[str, float]


@dataclass(frozen=True)
class BudgetVerdict:
    """How a step compares with the network the pipeline began with, on the same val crops.

    Attributes:
        macro_f1: with its 95 % interval.
        drop: of macro-F1, positive where the step is worse, with its paired 95 % interval.
        classes: F1 by class.
        class_drops: drop of F1 by class.
        accepted: whether it kept to the budget.
        reason: of the verdict, one line.
        stress: how it compares under stress; None where that was not asked for.
    """

    macro_f1: Interval
    drop: Interval
    classes: dict[str, float]
    class_drops: dict[str, float]
    accepted: bool
    reason: str
    stress: StressVerdict | None = None


def judge(
    truth: Ints,
    start: Ints,
    now: Ints,
    names: tuple[str, ...],
    budget: Budget,
    stressed: StressedAnswers | None = None,
) -> BudgetVerdict:
    """Compare the predictions of two networks for the same val crops.

    Args:
        truth: true class indices.
        start: predicted by the network the pipeline began with.
        now: predicted after the step.
        names: of the classes.
        budget: what may be lost.
        stressed: what both say under stress, where that was asked for.

    Returns:
        The verdict; the interval is a paired bootstrap over the crops.
    """
    gain = paired_difference(truth, start, now, len(names))
    drop = Interval(-gain.value, -gain.high, -gain.low)
    before = {row.name: row.f1 for row in per_class(truth, start, names)}
    after = {row.name: float(row.f1) for row in per_class(truth, now, names)}
    drops = {name: float(before[name] - after[name]) for name in names}
    worst = max(drops, key=lambda name: drops[name])
    over = (drop.high if budget.sure else drop.value) > budget.f1 + 1e-9
    class_over = drops[worst] > budget.one_class + 1e-9
    text = f"drop {format_points(drop.value, drop.low, drop.high)} points of macro-F1, at most {100 * budget.f1:.1f}"
    if class_over:
        text += f"; {worst} lost {100 * drops[worst]:.1f} points, at most {100 * budget.one_class:.1f}"
    stress = _under_stress(stressed, len(names)) if stressed else None
    stress_over = stress is not None and _falls_too_far(stress.drop, budget)
    if stress:
        text += f"; under stress {format_points(stress.drop.value, stress.drop.low, stress.drop.high)} points"
        text += "" if budget.stress is None else f", at most {100 * budget.stress:.1f}"
    accepted = not (over or class_over or stress_over)
    return BudgetVerdict(
        macro_f1_interval(truth, now, len(names)),
        drop,
        after,
        drops,
        accepted,
        f"{text}: {'accepted' if accepted else 'refused'}",
        stress,
    )


def _under_stress(answers: StressedAnswers, classes: int) -> StressVerdict:
    score = score_under_stress(answers.crops, answers.now_kn, classes)
    drop = stressed_drop(answers.crops, answers.start_kn, answers.now_kn, classes)
    return StressVerdict(score.macro_f1, drop, score.kinds)


def _falls_too_far(drop: Interval, budget: Budget) -> bool:
    return budget.stress is not None and (drop.high if budget.sure else drop.value) > budget.stress + 1e-9


def format_points(value: float, low: float, high: float) -> str:
    """A drop in points of F1 with half its interval."""
    return f"{round(100 * value, 1) + 0.0:.1f} ± {50 * (high - low):.1f}"  # + 0.0: never "-0.0"
