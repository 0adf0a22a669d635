"""Confident learning: who counts as another class, and in which order labels are doubted."""

from __future__ import annotations

import numpy as np

from leansort.data.quality.confident_learning import doubt_labels


def test_a_photo_counts_as_another_class_from_that_classes_own_mean_on() -> None:
    # Class 0 has the threshold (0.9 + 0.8 + 0.1) / 3 = 0.6, class 1 (0.9 + 0.3) / 2 = 0.6; class 2 has no photo.
    p_nc = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.1, 0.7, 0.2], [0.1, 0.9, 0.0], [0.5, 0.3, 0.2]])
    doubts = doubt_labels(p_nc, np.array([0, 0, 0, 1, 1]))
    np.testing.assert_allclose(doubts.thresholds_c, [0.6, 0.6, np.inf])
    assert doubts.flagged_n.tolist() == [False, False, True, False, False]  # 0.5 of class 0 is below its threshold
    assert doubts.joint_cc.tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert doubts.suggested_n.tolist() == [1, 1, 1, 0, 0]
    assert doubts.order_n.tolist() == [2, 4, 1, 0, 3]  # by the label's own probability; equal ones as they come


def test_injected_labels_come_first_where_predictions_are_good() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 400)
    p_nc = 0.85 * np.eye(4)[truth] + 0.15 * rng.dirichlet(np.ones(4), 400)
    labels, wrong = truth.copy(), rng.choice(400, 20, replace=False)
    labels[wrong] = (labels[wrong] + 1) % 4
    doubts = doubt_labels(p_nc, labels)
    assert set(doubts.order_n[:20].tolist()) == set(wrong.tolist())
    assert (doubts.suggested_n[wrong] == truth[wrong]).all()
    assert doubts.joint_cc.sum() >= doubts.flagged_n.sum() >= 15
