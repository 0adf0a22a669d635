"""Two classifiers on the same crops: McNemar against scipy, class by class against brute force, and the verdict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.metrics import Interval, Ints
from leansort.measure.comparison.class_differences import class_differences
from leansort.measure.comparison.comparison_result import ComparedClassifier, ComparisonResult, LatencyComparison
from leansort.measure.comparison.mcnemar import mcnemar_exact, paired_counts
from leansort.measure.measurement import Measurement

NAMES = ("glass", "metal", "paper", "trash")
Answers = tuple[Ints, Ints, Ints]


def drawn(crops: int, right_a: float, right_b: float, seed: int = 0, classes: int = 3) -> Answers:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, crops)
    a, b = (np.where(rng.random(crops) < right, truth, rng.integers(0, classes, crops)) for right in (right_a, right_b))
    return truth, a, b


def compared(answers: Answers, *ratios: Interval) -> ComparisonResult:
    truth, a, b = answers
    sides = [
        ComparedClassifier(name, "bundle", 1_000_000, 10, 10.0, name, "onnxruntime", 1,
                           metrics.macro_f1_interval(truth, said, len(NAMES)), float((truth == said).mean()))
        for name, said in (("a.leansort", a), ("b.leansort", b))
    ]  # fmt: skip
    ms = Measurement(
        name="x", value=1.0, unit="ms", low=1.0, high=1.0, count=9, percentiles={"p50": 1.0, "p90": 1.0, "p99": 1.0}
    )
    return ComparisonResult(
        a=sides[0],
        b=sides[1],
        truth="crops (val)",
        crops=len(truth),
        macro_f1_classes=metrics.coverage(NAMES, np.bincount(truth, minlength=len(NAMES)).tolist()),
        difference=metrics.paired_difference(truth, a, b, len(NAMES)),
        counts=paired_counts(truth, a, b),
        classes=tuple(class_differences(truth, a, b, NAMES)),
        latencies=tuple(LatencyComparison("decode to label", ms, ms, ratio) for ratio in ratios),
        seed=0,
        draws=2000,
    )


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemars_p_is_the_binomial_tests(only_a: int, only_b: int) -> None:
    theirs = binomtest(only_a, only_a + only_b, 0.5).pvalue if only_a + only_b else 1.0
    assert mcnemar_exact(only_a, only_b) == pytest.approx(theirs, rel=1e-9)


def test_mcnemars_p_of_many_crops_is_a_number_and_that_of_a_few_is_exact() -> None:
    assert mcnemar_exact(1, 6) == pytest.approx(2 * (1 + 7) / 2**7)
    assert mcnemar_exact(60_000, 60_400) == pytest.approx(binomtest(60_000, 120_400, 0.5).pvalue, rel=1e-6)
    assert mcnemar_exact(0, 5000) == 0.0  # less than the smallest floating-point number


@given(st.integers(0, 2**32 - 1))
def test_every_crop_is_counted_once(seed: int) -> None:
    truth, a, b = drawn(40, 0.5, 0.7, seed)
    counts = paired_counts(truth, a, b)
    parts = (
        counts.both_right, counts.only_a_right, counts.only_b_right, counts.both_wrong_alike, counts.both_wrong_apart,
    )  # fmt: skip
    assert sum(parts) == 40
    assert counts.both_right + counts.only_a_right == (truth == a).sum()
    assert counts.both_right + counts.only_b_right == (truth == b).sum()
    assert counts.disagreements == (a != b).sum()


def test_f1_by_class_is_scikit_learns_and_its_interval_that_of_resampling_one_by_one() -> None:
    truth, a, b = drawn(90, 0.6, 0.9)
    rows = class_differences(truth, a, b, NAMES[:3], draws=300, seed=5)
    for side, said in (("a", a), ("b", b)):
        theirs = f1_score(truth, said, average=None, labels=[0, 1, 2], zero_division=0)
        assert [getattr(row, side) for row in rows] == pytest.approx(list(theirs))
    gaps = []
    for index in metrics.bootstrap_indices(90, 300, 5):
        f1 = [f1_score(truth[index], said[index], average=None, labels=[0, 1, 2], zero_division=0) for said in (a, b)]
        gaps.append(f1[1] - f1[0])
    low, high = np.quantile(gaps, [0.025, 0.975], axis=0)
    for row, at in zip(rows, range(3), strict=True):
        assert row.difference is not None
        assert (row.difference.low, row.difference.high) == pytest.approx((low[at], high[at]))


def test_a_class_without_a_crop_has_no_difference_and_one_of_few_crops_says_so() -> None:
    truth = np.repeat([0, 1, 2], [50, 40, 4])
    said = truth.copy()
    said[-1] = 0
    rows = {row.name: row for row in class_differences(truth, truth, said, NAMES)}
    assert (rows["trash"].a, rows["trash"].b, rows["trash"].difference, rows["trash"].support) == (None, None, None, 0)
    assert [name for name, row in rows.items() if row.support and row.few] == ["paper"]
    assert rows["metal"].difference == Interval(0.0, 0.0, 0.0)
    paper = rows["paper"].difference
    assert paper is not None
    assert paper.value < 0 == paper.high


def test_the_paired_interval_covers_the_true_difference_about_as_often_as_it_says() -> None:
    """Two classifiers that are equally often right, 200 times: their interval leaves out 0 in some 5 % of the draws."""
    missed = 0
    for seed in range(200):
        truth, a, b = drawn(150, 0.8, 0.8, seed)
        interval = metrics.paired_difference(truth, a, b, 3, draws=300, seed=seed)
        missed += not interval.low <= 0 <= interval.high
    assert 2 <= missed <= 20


def test_the_verdict_says_which_is_faster_and_whether_accuracy_is_told_apart() -> None:
    faster, slower, neither = Interval(1.9, 1.85, 1.95), Interval(0.5, 0.4, 0.6), Interval(1.02, 0.98, 1.06)
    close = compared(drawn(200, 0.9, 0.9), faster)
    disturbed = close.model_copy(update={"warning": "other work"}).verdict
    assert disturbed.startswith("B is faster by 1.9 times (timed while other work ran, so not to be trusted); macro-F1")
    points, half = 100 * abs(close.difference.value), 50 * (close.difference.high - close.difference.low)
    assert close.verdict == (
        f"B is faster by 1.9 times; macro-F1 differs by {points:.1f} ± {half:.1f} points: not told apart by 200 crops"
    )
    better = compared(drawn(600, 0.5, 0.95), slower).verdict
    assert better.startswith("B is slower by 2.0 times; the macro-F1 of B is higher by ")
    assert better.endswith(" points on 600 crops")
    assert "macro-F1 of B is lower by" in compared(drawn(600, 0.95, 0.5)).verdict
    truth, a, _ = drawn(50, 0.9, 0.9)
    assert compared((truth, a, a), neither).verdict == (
        "their speeds are not told apart; both give each of the 50 crops the same label"
    )


def test_the_result_comes_back_from_its_json_and_shows_itself_without_markup_of_others() -> None:
    result = compared(drawn(60, 0.8, 0.9), Interval(1.9, 1.8, 2.0))
    assert ComparisonResult.from_json(result.to_json(), "test") == result
    hostile = replace(result.classes[0], name="<script>x</script>")
    page = result.model_copy(update={"classes": (hostile, *result.classes[1:])})._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert result.verdict in page
    assert "onnxruntime, 1 thread" in page
