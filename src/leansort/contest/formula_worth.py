"""What a point of macro-F1, a second and a million multiply-adds are worth where one stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from leansort.contest.formulas import MACS_CLIFF_F1, Baselines, macs_score, time_score

Edition: TypeAlias = Literal["time", "macs"]
EDITIONS: tuple[Edition, ...] = ("time", "macs")
POINT = 0.01
MILLION = 1e6


@dataclass(frozen=True)
class FormulaWorth:
    """What changes of one thing alone do to a score; lower scores are better.

    Attributes:
        edition: `time` or `macs`.
        score: where one stands.
        point_more: by how much one point (0.01) more of macro-F1 lowers the score.
        point_less: by how much one point less raises it; beside a cliff it is another number.
        unit: of the cost: `s`, or `million MACs`.
        unit_cost: what each unit adds to the score.
        point_in_units: so many units pay for one point more: that much slower, or larger, and the score is the same.
        cost_part: what all of the cost adds to the score; half the cost takes half of it away.
    """

    edition: Edition
    score: float
    point_more: float
    point_less: float
    unit: str
    unit_cost: float
    point_in_units: float
    cost_part: float


@dataclass(frozen=True)
class CliffDistance:
    """How far a classifier is from the step of the MACs edition, below which macro-F1 counts for nothing.

    Attributes:
        cliff: macro-F1 at the step.
        distance: macro-F1 above it; negative below.
        margin: that was asked for.
        height: what the step adds to the score.
        fall_chance: fraction of the resampled lists in which macro-F1 is below the step, on the worse of both lists.
    """

    cliff: float
    distance: float
    margin: float
    height: float
    fall_chance: float

    @property
    def inside(self) -> bool:
        """Whether the classifier is nearer than the margin, or below the step."""
        return self.distance < self.margin


def score_of(edition: Edition, f1: float, cost: float, base: Baselines) -> float:
    """Return the score of an edition; `cost` is seconds, or multiply-adds."""
    return time_score(f1, cost, base) if edition == "time" else macs_score(f1, cost, base)


def worth_in(edition: Edition, f1: float, cost: float, base: Baselines) -> FormulaWorth:
    """Work out what changes are worth in an edition.

    Args:
        edition: `time` or `macs`.
        f1: the contest's macro-F1, 0-1.
        cost: seconds of the whole run, or multiply-adds for one picture.
        base: the contest's baselines.

    Raises:
        UserError: F1 or the cost is out of range.
    """

    def score(value: float) -> float:
        return score_of(edition, value, cost, base)

    unit, count = ("s", 1.0) if edition == "time" else ("million MACs", MILLION)
    unit_cost = count * (0.5 / base.time_s if edition == "time" else 1 / base.macs)
    here, more = score(f1), score(f1) - score(min(1.0, f1 + POINT))
    return FormulaWorth(
        edition=edition,
        score=here,
        point_more=more,
        point_less=score(max(0.0, f1 - POINT)) - here,
        unit=unit,
        unit_cost=unit_cost,
        point_in_units=more / unit_cost,
        cost_part=cost / count * unit_cost,
    )


def cliff_height(base: Baselines) -> float:
    """What the score of the MACs edition jumps by where macro-F1 falls below the step."""
    return macs_score(MACS_CLIFF_F1 - 1e-9, 0, base) - macs_score(MACS_CLIFF_F1, 0, base)
