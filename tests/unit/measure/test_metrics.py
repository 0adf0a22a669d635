"""Macro-F1 over the classes that the ground truth shows, and what a sample without an error allows to say."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from leansort.measure.accuracy import metrics


def test_a_perfect_network_scores_1_whatever_classes_the_crops_lack() -> None:
    truth = np.array([0, 2, 0, 2, 2])
    assert metrics.macro_f1_present(truth, truth, 5) == 1.0
    assert metrics.macro_f1(truth, truth, 5) == pytest.approx(2 / 5)  # the contest's


def test_it_is_scikit_learns_over_the_classes_of_the_truth_and_orders_networks_as_the_contests_does() -> None:
    rng = np.random.default_rng(0)
    scores = []
    for _ in range(20):
        truth = rng.choice([0, 1, 3], 60)
        text = np.where(rng.random(60) < 0.7, truth, rng.integers(0, 5, 60))
        theirs = f1_score(truth, text, average="macro", labels=[0, 1, 3], zero_division=0)
        assert metrics.macro_f1_present(truth, text, 5) == pytest.approx(theirs)
        scores.append((metrics.macro_f1_present(truth, text, 5), metrics.macro_f1(truth, text, 5)))
    assert all(ours == pytest.approx(contests * 5 / 3) for ours, contests in scores)


def test_one_wrong_prediction_of_a_class_without_crops_costs_no_whole_class() -> None:
    truth = np.repeat([0, 1], 50)
    text = truth.copy()
    text[0] = 2
    assert metrics.macro_f1_present(truth, text, 3) == pytest.approx((98 / 99 + 1) / 2)


def test_with_all_classes_it_is_the_mean_that_it_always_was() -> None:
    rng = np.random.default_rng(1)
    truth = np.arange(300) % 6
    text = np.where(rng.random(300) < 0.8, truth, (truth + 1) % 6)
    assert metrics.macro_f1_present(truth, text, 6) == metrics.macro_f1(truth, text, 6)
    interval = metrics.macro_f1_interval(truth, text, 6)
    assert interval.low < interval.value < interval.high


def test_the_interval_leaves_a_class_out_where_a_resample_lacks_it() -> None:
    """A rare class that is right every time pulled the interval down by being absent from a third of the resamples."""
    truth = np.array([0] * 60 + [1] * 60 + [2])
    text = truth.copy()
    text[0] = 1
    assert metrics.macro_f1_interval(truth, text, 3).low > 0.97


@pytest.mark.parametrize("crops", [[1], [5], [50], [1000]])
def test_of_one_class_without_an_error_the_bound_is_clopper_and_pearsons(crops: list[int]) -> None:
    assert metrics.least_recall(np.array(crops)) == pytest.approx(0.025 ** (1 / crops[0]))


def test_no_network_below_the_bound_makes_no_error_with_more_than_the_chance() -> None:
    rng = np.random.default_rng(2)
    for crops in ([3, 3, 3], [1, 100, 100], [2, 7, 40, 300], [0, 5, 5]):
        n = np.array(crops)
        bound = metrics.least_recall(n)
        recalls = rng.random((20_000, int((n > 0).sum()))) ** 0.2
        possible = (np.log(recalls) * n[n > 0]).sum(axis=1) >= np.log(0.025)
        assert recalls[possible].mean(axis=1).min() >= bound - 1e-9
        assert recalls[possible].mean(axis=1).min() < bound + 0.2  # and it is no empty promise


def test_a_perfect_small_sample_has_an_interval_and_a_perfect_large_one_a_narrow_one() -> None:
    small, large = np.arange(12) % 3, np.arange(30_000) % 3
    few = metrics.macro_f1_interval(small, small, 4)
    assert (few.value, few.high) == (1.0, 1.0)
    assert few.low == pytest.approx(0.025 ** (1 / 12))
    assert metrics.macro_f1_interval(large, large, 4, draws=3).low > 0.999


def test_the_sentence_names_what_was_left_out_and_is_empty_where_nothing_was() -> None:
    part = metrics.coverage(["Metal", "Battery", "Paper"], [3, 0, 1])
    assert str(part) == "over 2 of 3 classes"
    assert part.sentence("test") == "'Battery' has no crop in test and was left out of the mean"
    whole = metrics.coverage(["Metal", "Paper"], [3, 1])
    assert (str(whole), whole.sentence("test")) == ("over 2 classes", "")
