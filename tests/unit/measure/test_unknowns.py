"""Measures of novelty, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from leansort.measure.accuracy.unknowns import accepted_at, auroc, fpr_at_recall, score_method


@pytest.mark.parametrize("levels", [3, 1000])
def test_auroc_is_that_of_scikit_learn(levels: int) -> None:
    rng = np.random.default_rng(0)
    known, unknown = np.round(rng.random(60) * levels), np.round((0.3 + rng.random(40)) * levels)
    expected = roc_auc_score([0] * 60 + [1] * 40, np.concatenate([known, unknown]))
    assert auroc(known, unknown) == pytest.approx(expected)


def test_false_positives_and_coverage_by_hand() -> None:
    known, unknown = np.arange(20.0), np.array([5.0, 18.0, 18.5, 40.0])
    right = np.arange(20) < 18
    assert fpr_at_recall(known, unknown, 0.95) == 0.5  # 19 of 20 lie at or below 18
    at = accepted_at(known, unknown, right, 0.5)
    assert (at.coverage, at.accuracy, at.known_accuracy, at.unknown) == (0.5, 10 / 11, 1.0, 0.25)
    assert accepted_at(known, unknown, right, 1.0).accuracy == 18 / 23


def test_the_interval_covers_the_value_and_narrows_with_more_images() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for count in (30, 3000):
        known, unknown = rng.normal(0, 1, count), rng.normal(1, 1, count)
        row = score_method("energy", known, unknown, np.ones(count, np.bool_), draws=200)
        assert row.auroc.low <= row.auroc.value <= row.auroc.high
        assert row.auroc.low < 0.7602 < row.auroc.high  # of two normals a deviation apart
        widths.append(row.auroc.high - row.auroc.low)
    assert widths[0] > 5 * widths[1]
