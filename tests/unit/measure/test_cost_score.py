"""What decisions cost on labelled images, by hand and against every threshold there is."""

from __future__ import annotations

import numpy as np
import pytest

from leansort.measure.accuracy.cost_score import NOTHING, DecidedImages, best_threshold, score_rules
from leansort.runtime.decisions.costs import DecisionCosts, UnknownThings


def costs(reject: float = 0.3, unknown: UnknownThings | None = None) -> DecisionCosts:
    table = np.array([[0.0, 10.0, reject], [1.0, 0.0, reject]])
    return DecisionCosts(("a", "b"), table, np.zeros(2), unknown)


def images(first: list[float], truth: list[int]) -> DecidedImages:
    p = np.array(first)
    return DecidedImages(np.stack([p, 1 - p], 1), (None,) * len(p), np.array(truth))


def test_the_three_rules_by_hand() -> None:
    given = images([0.9, 0.6, 0.2, 0.01], [0, 1, 0, 1])
    cheap, probable, threshold = score_rules(costs(), given, draws=50)
    assert cheap.cost.value == pytest.approx((0 + 0.3 + 0.3 + 0) / 4)  # a at 0.6 costs 0.4 to expect, b at 0.8 two
    assert probable.cost.value == pytest.approx((0 + 1 + 10 + 0) / 4)
    assert threshold.threshold == pytest.approx(0.85)
    assert threshold.cost.value == pytest.approx(0.6 / 4)
    assert probable.saved is not None
    assert probable.saved.value == pytest.approx(11 / 4 - 0.6 / 4)
    assert (cheap.coverage, cheap.accuracy, cheap.macro_f1) == (0.5, 1.0, 1.0)
    assert cheap.expected == pytest.approx((0.1 + 0.3 + 0.3 + 0.1) / 4)


def test_no_threshold_is_better_than_the_best_one() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(60).round(2)  # with equal ones among them
    given = images(p.tolist(), (rng.random(60) > p).astype(int).tolist())
    table = costs().costs_cd
    top, label = given.probabilities.max(1), given.probabilities.argmax(1)

    def cost(threshold: float) -> float:
        return float(table[given.truth, np.where(top >= threshold, label, 2)].mean())

    best = cost(best_threshold(costs(), [given]))
    assert best == pytest.approx(min(cost(value) for value in [*np.unique(top), 0.0, 3.0]))


def test_the_ends_accept_all_or_none() -> None:
    assert best_threshold(costs(reject=5.0), [images([0.9, 0.2], [0, 1])]) == 0.0
    assert best_threshold(costs(reject=0.0), [images([0.1, 0.2], [0, 0])]) == NOTHING


def test_where_nothing_is_accepted_there_is_no_accuracy() -> None:
    cheap, *_ = score_rules(costs(reject=0.0), images([0.6, 0.5], [0, 1]), draws=10)
    assert (cheap.coverage, cheap.accuracy, cheap.macro_f1, cheap.cost.value) == (0.0, None, None, 0.0)


def test_unknown_images_count_with_their_share() -> None:
    unknown = UnknownThings(np.array([4.0, 8.0, 0.0]), share=0.25, taken_for_known=0.5, recall=0.95)
    known, foreign = images([0.99, 0.01], [0, 1]), images([0.99, 0.99], [2, 2])
    _, probable, _ = score_rules(costs(unknown=unknown), known, foreign, draws=10)
    assert probable.cost.value == pytest.approx(0.25 * 4)
    assert probable.unknown_accepted == 1.0
    alone = score_rules(costs(), known, foreign, draws=10)[1]
    assert (alone.cost.value, alone.unknown_accepted) == (0.0, None)
