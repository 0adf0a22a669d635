"""Ranks, changes of rank and the optimism of a choice, on draws that are worked by hand or drawn at random."""

from __future__ import annotations

import numpy as np
import pytest

from leansort.contest import score_bootstrap as bootstraps
from leansort.contest.formula_worth import score_of
from leansort.contest.formulas import Baselines
from leansort.measure.accuracy import metrics

SCORES = np.array([[1.0, 2.0, 3.0, 1.0], [2.0, 1.0, 1.0, 1.0], [3.0, 3.0, 2.0, 5.0]])


def test_the_chances_of_the_ranks_of_three() -> None:
    """In the last list the first two are equal: the earlier one is before the other."""
    chances = bootstraps.rank_chances(SCORES)
    assert chances.tolist() == [[0.5, 0.25, 0.25], [0.5, 0.5, 0.0], [0.0, 0.25, 0.75]]
    assert bootstraps.better_chance(SCORES[0], SCORES[1]) == (1 + 0.5) / 4


def test_only_a_true_change_of_order_counts() -> None:
    a, b = np.array([1.0, 1.0, 2.0, 1.0]), np.array([2.0, 2.0, 1.0, 1.0])
    other_a, other_b = np.array([1.0, 3.0, 3.0, 3.0]), np.array([2.0, 2.0, 2.0, 2.0])
    assert bootstraps.change_chance(a, b, other_a, other_b) == 0.25  # the second list; a draw is no order


def test_resampled_f1_counts_all_classes_as_the_contest_does() -> None:
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    drawn = bootstraps.resampled_f1(truth, predicted, 3, np.array([[0, 1, 2, 3], [0, 0, 2, 2]]))
    assert drawn.tolist() == pytest.approx([(2 / 3 + 0.8 + 0) / 3, 2 / 3])  # the third class is shown by nothing
    assert drawn[0] == pytest.approx(bootstraps.contest_f1(truth, predicted, 3))


def test_the_choice_and_its_optimism_by_hand() -> None:
    """Lists choose 0, 1, 1, 0 (2 is not allowed); beside 0, 1 is worse by 0.5 and better by 0.1 where they left out."""
    left_out = np.array([[1.5, 1.5, 1.5, 1.5], [9.0, 2.0, 1.4, 9.0], [0.0, 0.0, 0.0, 0.0]])
    choice = bootstraps.choose("time", [1.5, 1.6, 0.1], SCORES, left_out, [0, 1])
    assert (choice.chosen, choice.score, choice.same) == (0, 1.5, 0.5)
    assert choice.optimism == pytest.approx((0.5 - 0.1) / 4)
    assert choice.expected == pytest.approx(1.6)


def test_crops_left_out_are_those_that_a_list_has_not() -> None:
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    lists = np.array([[0, 0, 2, 2], [1, 1, 3, 2], [0, 1, 2, 3]])
    left = bootstraps.left_out_f1(truth, predicted, 2, lists)
    assert left.tolist() == pytest.approx([(0 + 2 / 3) / 2, 0.5, (2 / 3 + 0.8) / 2])  # 1 and 3; 0; none, so all


def test_the_optimism_is_what_equal_classifiers_lose_on_fresh_crops() -> None:
    """Of ten equally good ones the best on 200 crops is no better on others, and the estimate says so."""
    rng, base, lost, told = np.random.default_rng(0), Baselines(), [], []
    for trial in range(20):
        truth = rng.integers(0, 3, 400)
        answers = [np.where(rng.random(400) < 0.75, truth, rng.integers(0, 3, 400)) for _ in range(10)]
        t, fresh = truth[:200], truth[200:]
        indices = metrics.bootstrap_indices(200, 100, trial)
        f1 = [bootstraps.contest_f1(t, p[:200], 3) for p in answers]
        stated = bootstraps.scores_of("time", np.array(f1), 0.0, base).tolist()
        draws = np.stack([
            bootstraps.scores_of("time", bootstraps.resampled_f1(t, p[:200], 3, indices), 0.0, base) for p in answers
        ])  # fmt: skip
        left_out = np.stack([
            bootstraps.scores_of("time", bootstraps.left_out_f1(t, p[:200], 3, indices), 0.0, base) for p in answers
        ])  # fmt: skip
        choice = bootstraps.choose("time", stated, draws, left_out, range(10))
        after = bootstraps.contest_f1(fresh, answers[choice.chosen][200:], 3)
        lost.append(score_of("time", after, 0.0, base) - choice.score)
        told.append(choice.optimism)
    assert np.mean(lost) > 0.01
    assert np.mean(told) == pytest.approx(np.mean(lost), rel=0.5)
