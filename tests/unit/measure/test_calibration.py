"""Calibration, on confidences whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leansort.measure.accuracy.acceptance import threshold_for
from leansort.measure.accuracy.calibration import (
    UnknownLogits,
    calibrate,
    expected_calibration_error,
    fit_temperature,
    risk_coverage,
)
from leansort.runtime.predictor import softmax


def drawn(temperature: float, *, count: int = 6000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are too sure by a factor: truth is drawn from the softmax of logits / temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (count, 5))
    cumulated = softmax(logits / temperature).cumsum(axis=1)
    truth = (rng.random(count)[:, None] > cumulated).sum(axis=1)
    return logits, np.minimum(truth, 4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    logits, truth = drawn(temperature)
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.06)


def test_calibration_error_falls_to_that_of_chance() -> None:
    result = calibrate(*drawn(3.0))
    assert result.ece_before > 0.15
    assert result.ece_after < 0.02


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])
    truth = np.array([0, 1, 1, 0])  # at 0.9 half are right; 0.7 and 0.6 are right
    assert expected_calibration_error(probabilities, truth, bins=10) == pytest.approx((2 * 0.4 + 0.3 + 0.4) / 4)


def test_a_calibration_counts_unknown_images_that_it_accepts() -> None:
    logits = np.array([[4.0, 0.0], [0.0, 3.0], [2.0, 0.0], [0.0, 1.0]] * 20)
    truth = np.array([0, 1, 0, 0] * 20)
    unknown = UnknownLogits(np.array([[2.5, 0.0], [0.5, 0.0]]), share=0.2)
    plain, counted = calibrate(logits, truth, 0.05), calibrate(logits, truth, 0.05, unknown=unknown)
    assert plain.coverage == pytest.approx(0.75)
    assert (counted.coverage, counted.unknown, counted.unknown_accepted) == (0.5, 2, 0.0)
    everything = calibrate(logits, truth, 0.9, unknown=unknown)
    assert everything.error == pytest.approx(0.8 * 0.25 + 0.2)
    assert everything.temperature == plain.temperature


@pytest.mark.parametrize("share", [0.01, 0.2, None])
def test_the_target_holds_with_unknown_images_and_more_of_them_cost_coverage(share: float | None) -> None:
    logits, truth = drawn(1.0, count=2000)
    unknown = UnknownLogits(logits[:300] * 0.5, share=share)
    result = calibrate(logits, truth, 0.1, unknown=unknown)
    assert result.error <= 0.1
    assert result.unknown_share == (300 / 2300 if share is None else share)
    assert 0 < result.coverage <= calibrate(logits, truth, 0.1).coverage


def test_what_is_not_known_is_rejected_where_more_is_accepted_with_it() -> None:
    logits, truth = drawn(1.0, count=2000)
    near = np.random.default_rng(1).random(2000)
    far = UnknownLogits(logits[:300], distances=near[:300] + 5, share=0.3)  # as sure as the known ones
    result = calibrate(logits, truth, 0.3, near, far)
    assert result.novelty is not None
    assert result.novelty.reject
    assert (result.unknown_accepted, result.error <= 0.3) == (0.0, True)
    same = UnknownLogits(logits[:300] * 0.1, distances=near[:300], share=0.01)  # novelty tells nothing
    assert calibrate(logits, truth, 0.3, near, same).novelty == calibrate(logits, truth, 0.3, near).novelty


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.6), st.integers(1, 80), st.integers(1, 20))
def test_no_lower_threshold_keeps_the_error(seed: int, wanted: float, count: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    top = 0.5 + np.round(rng.random(count) * levels) / levels / 2  # many are equal
    probabilities, truth = np.stack([top, 1 - top], axis=1), (rng.random(count) < 0.3).astype(np.int64)
    threshold = threshold_for(probabilities, truth, wanted)
    wrong = probabilities.argmax(1) != truth
    confidence = probabilities.max(1)
    accepted = confidence >= threshold
    assert threshold == 1.0 or not accepted.any() or wrong[accepted].mean() <= wanted
    for lower in np.unique(confidence[confidence < threshold]):
        assert wrong[confidence >= lower].mean() > wanted


def test_the_curve_ends_at_everything() -> None:
    logits, truth = drawn(1.0, count=333)
    curve = risk_coverage(softmax(logits), truth)
    assert curve[-1][0] == 1.0
    assert curve[-1][1] == pytest.approx((logits.argmax(1) != truth).mean())
    assert [fraction for fraction, _ in curve] == sorted(fraction for fraction, _ in curve)
    assert curve[10][1] < curve[-1][1]


def test_where_nothing_is_right_nothing_is_accepted() -> None:
    logits = np.array([[3.0, 0.0], [2.0, 0.0]])
    result = calibrate(logits, np.array([1, 1]), target_error=0.1)
    assert (result.coverage, result.error) == (0.0, 0.0)
    assert result.reject_below == 1.0
