"""The contest's scores on lists of resampled crops: how sure a score is, and a rank, and a choice (Efron 1979, 1983).

All classifiers get the same resampled crops, so that what one of them has by luck the others have, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leansort.contest.formula_worth import Edition, score_of
from leansort.contest.formulas import Baselines
from leansort.measure.accuracy.metrics import Floats, Interval, Ints, f1_by_class, macro_f1, resampled_confusions

PUBLIC, PRIVATE = "public", "private"


@dataclass(frozen=True)
class Choice:
    """The best classifier by the scores of one list, and what that rests on.

    Attributes:
        edition: `time` or `macs`.
        chosen: index of it among the classifiers.
        score: on the crops that chose it.
        optimism: by how much a score is on average too low where the same crops choose and judge.
        same: fraction of the resampled lists that choose the same one.
    """

    edition: Edition
    chosen: int
    score: float
    optimism: float
    same: float

    @property
    def expected(self) -> float:
        """The score to expect on fresh crops."""
        return self.score + self.optimism


def resampled_f1(truth: Ints, predicted: Ints, classes: int, indices: Ints) -> Floats:
    """The contest's macro-F1, over all classes, on each resampled list.

    Args:
        truth: class index of each crop, shape (n,).
        predicted: predicted class index of each crop, shape (n,).
        classes: number of classes.
        indices: crops of each list, shape (draws, crops of a list).
    """
    return np.asarray(f1_by_class(resampled_confusions(truth, predicted, classes, indices)).mean(axis=1), np.float64)


def scores_of(edition: Edition, f1: Floats, cost: float, base: Baselines) -> Floats:
    """The score for each macro-F1."""
    return np.array([score_of(edition, value, cost, base) for value in f1.tolist()])


def score_interval(score: float, draws: Floats) -> Interval:
    """A score with the 95 % percentile interval of its resampled values."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(score, float(low), float(high))


def rank_chances(scores: Floats) -> Floats:
    """Chance of each rank for each classifier; shape (classifiers, ranks).

    Args:
        scores: of each classifier on each resampled list, shape (classifiers, draws); the earlier one wins a draw.
    """
    places = np.argsort(np.argsort(scores, axis=0, kind="stable"), axis=0, kind="stable")
    return np.stack([(places == rank).mean(axis=1) for rank in range(len(scores))], axis=1)


def better_chance(a: Floats, b: Floats) -> float:
    """Chance that `a` is the better one; equal scores count for half."""
    return float(((a < b) + 0.5 * (a == b)).mean())


def change_chance(a: Floats, b: Floats, other_a: Floats, other_b: Floats) -> float:
    """Chance that two classifiers stand the other way round on the other list."""
    return float((np.sign(a - b) * np.sign(other_a - other_b) < 0).mean())


def choose(
    edition: Edition, stated: Sequence[float], draws: Floats, left_out: Floats, allowed: Sequence[int]
) -> Choice:
    """Choose the lowest score, and estimate by how much it is too low for having been chosen.

    Each resampled list chooses, too. On the crops that it left out, which had no part in that, its choice is compared
    with the one that all crops chose and that those crops may have favoured; the mean difference is the optimism, as in
    the estimates of error by the crops left out of a bootstrap (Efron 1983).

    Args:
        edition: `time` or `macs`.
        stated: each classifier's score on all crops.
        draws: each classifier's score on each resampled list, shape (classifiers, draws).
        left_out: each classifier's score on the crops that each list left out, of the same shape.
        allowed: indices that may be chosen, at least one.
    """
    among, whole = np.array(allowed), np.array(stated)
    chosen = int(among[np.argmin(whole[among])])
    picks = among[np.argmin(draws[among], axis=0)]
    optimism = (left_out[picks, np.arange(draws.shape[1])] - left_out[chosen]).mean()
    return Choice(edition, chosen, float(whole[chosen]), float(optimism), float((picks == chosen).mean()))


def left_out_f1(truth: Ints, predicted: Ints, classes: int, indices: Ints) -> Floats:
    """The contest's macro-F1 on the crops that each resampled list left out; all crops where it left out none.

    Args:
        truth: class index of each crop, shape (n,).
        predicted: predicted class index of each crop, shape (n,).
        classes: number of classes.
        indices: crops of each list, shape (draws, crops of a list).
    """
    cells = truth * classes + predicted
    counts = []
    for row in indices:
        out = np.bincount(row, minlength=len(truth)) == 0
        counts.append(np.bincount(cells[out] if out.any() else cells, minlength=classes * classes))
    return np.asarray(f1_by_class(np.stack(counts).reshape(-1, classes, classes)).mean(axis=1), np.float64)


def contest_f1(truth: Ints, predicted: Ints, classes: int) -> float:
    """The contest's macro-F1: a class that neither truth nor predictions show counts as 0."""
    return macro_f1(truth, predicted, classes)
