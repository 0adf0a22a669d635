"""The contest's formulas at points worked out by hand from their definition."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from leansort.contest import formulas
from leansort.contest.formulas import Baselines
from leansort.core.errors import UserError
from leansort.measure.accuracy import metrics

BASE = Baselines()


def test_time_edition_at_the_goal_line() -> None:
    assert formulas.time_score(0.70, 60.0, BASE) == pytest.approx(1.1950, abs=1e-4)
    assert formulas.time_score(0.7478, 61.26, BASE) == pytest.approx(0.9875, abs=2e-3)  # a published entry


@pytest.mark.parametrize(
    ("f1", "part"),
    [
        (0.4999, 1.0),
        (0.5, 1 - 0.5 / 0.8342),
        (0.8341, 1 - 0.8341 / 0.8342),
        (0.8342, 0.0),
        (0.9, 0.5 * (1 - 0.9 / 0.8342)),
    ],
)
def test_macs_edition_in_every_part(f1: float, part: float) -> None:
    assert formulas.macs_score(f1, 13_863_553, BASE) == pytest.approx(1.0 + part, abs=1e-12)


def test_baselines_are_parameters() -> None:
    base = Baselines(time_f1=0.5, time_s=10.0)
    assert formulas.time_score(0.5, 20.0, base) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("f1", "seconds"), [(-0.1, 1), (1.1, 1), (0.5, -1), (0.5, math.inf), (math.nan, 1), (0.5, math.nan)]
)
def test_values_out_of_range_are_refused(f1: float, seconds: float) -> None:
    with pytest.raises(UserError, match="contest score: got"):
        formulas.time_score(f1, seconds, BASE)


def test_macro_f1_and_table_equal_scikit_learn() -> None:
    rng = random.Random(0)
    for classes in (2, 3, 6):
        truth = np.array([rng.randrange(classes) for _ in range(200)])
        text = np.array([t if rng.random() < 0.6 else rng.randrange(classes) for t in truth])
        labels = list(range(classes))
        assert metrics.macro_f1(truth, text, classes) == pytest.approx(
            f1_score(truth, text, average="macro", labels=labels)
        )
        ours = metrics.per_class(truth, text, [str(i) for i in labels])
        theirs = precision_recall_fscore_support(truth, text, labels=labels)
        for i, row in enumerate(ours):
            assert (row.precision, row.recall, row.f1, row.support) == pytest.approx([column[i] for column in theirs])


def test_a_class_absent_from_truth_and_prediction_counts_as_zero() -> None:
    truth = np.array([0, 1, 0, 1])
    assert metrics.macro_f1(truth, truth, 4) == pytest.approx(0.5)


def test_interval_holds_the_value_and_the_paired_test_sees_a_difference() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 600)
    good = np.where(rng.random(600) < 0.9, truth, (truth + 1) % 3)
    bad = np.where(rng.random(600) < 0.7, truth, (truth + 1) % 3)
    interval = metrics.macro_f1_interval(truth, good, 3)
    assert interval.low < interval.value < interval.high
    assert interval.high - interval.low < 0.07
    difference = metrics.paired_difference(truth, bad, good, 3)
    assert difference.low > 0.1
    assert metrics.paired_difference(truth, good, good, 3).high == 0
