"""Class shares of streams whose shares are known, by classifiers that err in a known way."""

from __future__ import annotations

import numpy as np
import pytest

from leansort.core.files.bundle_reference import BundleReference, StatisticReference
from leansort.runtime.drift.prior_shift import (
    estimate_shares,
    fit_weights,
    scaled_rows,
    share_margins,
    shares_by_confusion,
    shares_by_em,
)

MEANS = np.array([[1.5, 0, 0], [0, 1.5, 0], [0, 0, 1.5]])


def stream(rng: np.random.Generator, shares: list[float], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right for even shares, and the classes."""
    labels = rng.choice(3, count, p=shares)
    x = MEANS[labels] + rng.standard_normal((count, 3))
    logits = x @ MEANS.T
    return scaled_rows(np.exp(logits - logits.max(1, keepdims=True))), labels


def reference(p_nc: np.ndarray, labels: np.ndarray) -> BundleReference:
    confusion = np.zeros((3, 3), np.int64)
    np.add.at(confusion, (labels, p_nc.argmax(1)), 1)
    any_statistic = StatisticReference(name="size", edges=(1.0,), gaps=(1, 1), low=0, median=1, high=2)
    return BundleReference(
        photos=len(labels), statistics=(any_statistic,),
        confusion=tuple(map(tuple, confusion.tolist())), weights=tuple(fit_weights(p_nc, confusion.astype(float))),
    )  # fmt: skip


@pytest.mark.parametrize("shares", [[0.8, 0.1, 0.1], [0.05, 0.05, 0.9], [0.0, 0.5, 0.5]])
@pytest.mark.parametrize("skew", [(1, 1, 1), (1, 3, 0.3)], ids=["calibrated", "skewed"])
def test_both_estimates_find_the_shares_where_counting_does_not(shares: list[float], skew: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    p_val, labels = stream(rng, [1 / 3, 1 / 3, 1 / 3], 3000)
    p_field, _ = stream(rng, shares, 3000)
    p_val, p_field = scaled_rows(p_val * skew), scaled_rows(p_field * skew)
    found = estimate_shares(p_field.tolist(), reference(p_val, labels))
    assert found.corrected_c == pytest.approx(shares, abs=0.03)
    assert found.by_confusion_c == pytest.approx(shares, abs=0.04)
    assert found.corrected_c.sum() == pytest.approx(1)
    assert np.abs(found.counted_c - shares).max() > 0.04


def test_a_class_that_val_does_not_show_has_no_share_by_confusion() -> None:
    confusion = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]], float)
    shares = shares_by_confusion(np.array([8.0, 2.0, 0.0]), confusion)
    assert shares == pytest.approx([1, 0, 0], abs=0.01)
    assert shares_by_em(np.array([[0.2, 0.3, 0.5]]), np.full(3, 1 / 3)) == pytest.approx([0, 0, 1], abs=0.01)


def test_margins_shrink_with_val() -> None:
    rng = np.random.default_rng(0)
    field, _ = stream(rng, [0.6, 0.2, 0.2], 500)
    small, large = (reference(*stream(rng, [1 / 3] * 3, count)) for count in (60, 6000))
    assert share_margins(field.tolist(), small).max() > 2 * share_margins(field.tolist(), large).max()
