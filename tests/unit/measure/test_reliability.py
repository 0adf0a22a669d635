"""Bins of confidence, accuracy against coverage, and intervals of classes, against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from leansort.measure.accuracy.metrics import per_class
from leansort.measure.accuracy.reliability import COVERAGES, accepted_fractions, reliability, wilson_interval
from leansort.measure.comparison.class_intervals import MOST_CLASSES, class_intervals


def test_bins_hold_every_label_once() -> None:
    confidences = np.array([0.0, 0.05, 0.55, 0.58, 0.95, 1.0])
    right = np.array([False, False, True, False, True, True])
    low, middle, high = reliability(confidences, right)
    assert [low.count, middle.count, high.count] == [2, 2, 2]
    assert [low.accuracy, middle.accuracy, high.accuracy] == [0.0, 0.5, 1.0]
    assert middle.confidence == pytest.approx(0.565)


def test_coverage_takes_the_surest_first() -> None:
    confidences = np.linspace(0.01, 1, 100)
    right = confidences > 0.3
    rows = accepted_fractions(confidences, right)
    assert [row.coverage for row in rows] == list(COVERAGES)
    assert [row.count for row in rows] == [100, 95, 90, 80, 70, 50]
    assert [row.accuracy for row in rows] == pytest.approx([0.7, 70 / 95, 70 / 90, 70 / 80, 1.0, 1.0])
    assert rows[-1].threshold == pytest.approx(0.51)


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"), [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)]
)
def test_wilson_intervals_are_those_of_the_literature(hits: int, count: int, low: float, high: float) -> None:
    assert wilson_interval(hits, count) == pytest.approx((low, high), abs=1e-4)


def test_class_intervals_hold_the_figures_of_the_table() -> None:
    rng = np.random.default_rng(3)
    truth = np.repeat(np.arange(3), 50)
    predicted = np.where(rng.random(150) < 0.8, truth, rng.integers(0, 3, 150))
    rows = class_intervals(truth, predicted, 3)
    for row, item in zip(rows, per_class(truth, predicted, ["a", "b", "c"]), strict=True):
        assert row is not None
        assert row.precision is not None
        for found, value in ((row.precision, item.precision), (row.recall, item.recall), (row.f1, item.f1)):
            assert found.value == pytest.approx(value)
            assert found.low < value < found.high
            assert 0.05 < found.high - found.low < 0.4


def test_a_class_without_crops_and_one_without_errors() -> None:
    truth = np.array([0] * 8 + [1] * 8)
    none, perfect = class_intervals(truth, truth, 3)[2], class_intervals(truth, truth, 3)[0]
    assert none is None
    assert perfect is not None
    assert perfect.recall.value == 1
    assert perfect.recall.low == pytest.approx(0.025 ** (1 / 8), abs=1e-3)  # not 1: eight crops cannot show it
    lost = class_intervals(np.array([0, 0, 1]), np.array([1, 1, 1]), 2)[0]
    assert lost is not None
    assert lost.precision is None
    assert lost.recall.value == 0


def test_very_many_classes_have_no_intervals() -> None:
    truth = np.arange(MOST_CLASSES + 1)
    assert class_intervals(truth, truth, MOST_CLASSES + 1) == [None] * (MOST_CLASSES + 1)
