"""What `leansort contest` returns: scores with intervals, what changes are worth, ranks, a choice."""

from __future__ import annotations

from dataclasses import dataclass

from leansort.contest.formula_worth import CliffDistance, Edition, FormulaWorth
from leansort.contest.formulas import Baselines
from leansort.contest.score_bootstrap import Choice
from leansort.core.files.typed_result import TypedResult
from leansort.measure.accuracy.metrics import Interval


@dataclass(frozen=True)
class ListStanding:
    """How a classifier stands on one list.

    Attributes:
        edition: `time` or `macs`.
        list: `public` or `private`.
        f1: the contest's macro-F1 on the list, with its 95 % bootstrap interval.
        score: with its 95 % bootstrap interval; lower is better.
        rank_chances: chance of rank 1, 2, … among the classifiers.
    """

    edition: Edition
    list: str
    f1: Interval
    score: Interval
    rank_chances: tuple[float, ...]


@dataclass(frozen=True)
class Contestant:
    """A bundle or submission file in the contest.

    Attributes:
        name: as it was given.
        f1: the contest's macro-F1 on all crops.
        seconds: of the whole run.
        macs: multiply-adds for one picture.
        worth: in the time edition and in the MACs edition, on all crops.
        cliff: distance to the step of the MACs edition.
        standings: of both lists in both editions.
    """

    name: str
    f1: float
    seconds: float
    macs: float
    worth: tuple[FormulaWorth, ...]
    cliff: CliffDistance
    standings: tuple[ListStanding, ...]


@dataclass(frozen=True)
class RankChange:
    """How sure it is which of two classifiers is the better one.

    Attributes:
        edition: `time` or `macs`.
        a: index of the first one.
        b: index of the second one.
        a_better_public: chance that the first one has the better score on the public list; draws count half.
        a_better_private: likewise on the private list.
        changed: chance that they stand the other way round on the private list than on the public one.
    """

    edition: Edition
    a: int
    b: int
    a_better_public: float
    a_better_private: float
    changed: float


class ContestResult(TypedResult):
    """The contest, simulated on labelled crops.

    Attributes:
        split: of the ground truth.
        truth: where the ground truth was read from.
        crops: number of all crops.
        list_crops: crops of the public and of the private list.
        lists_given: whether these lists were given; else each is resampled from half of all crops.
        draws: number of resampled lists.
        seed: of the bootstrap.
        baselines: the contest's.
        contestants: in the order in which they were given.
        changes: of every pair, in both editions.
        choices: the best one in each edition; none of a single one, of test, or where all are too near the step.
        warnings: what speaks against a bundle or a choice, a line each.
        notes: what was left out or taken otherwise, a line each.
    """

    split: str
    truth: str
    crops: int
    list_crops: dict[str, int]
    lists_given: bool
    draws: int
    seed: int
    baselines: Baselines
    contestants: tuple[Contestant, ...]
    changes: tuple[RankChange, ...] = ()
    choices: tuple[Choice, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def headline(self) -> dict[str, str]:
        """Return each one's scores, the choices, and the warnings."""
        scores = {
            f"{item.name}, {worth.edition} edition": f"{worth.score:.4f}"
            for item in self.contestants
            for worth in item.worth
        }
        best = {
            f"best in the {item.edition} edition": f"{self.contestants[item.chosen].name}, expect {item.expected:.4f}"
            for item in self.choices
        }
        return {**scores, **best, **({"warnings": "; ".join(self.warnings)} if self.warnings else {})}
