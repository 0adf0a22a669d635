"""The threshold of a cascade: the best there is on the photos given, and an estimate that is not flattered by them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leansort.core.errors import UserError
from leansort.measure.accuracy.cascade_fit import NEVER, StageAnswers, choose_threshold, fit_cascade, stage_answers
from leansort.measure.accuracy.metrics import macro_f1_present
from leansort.runtime.predictor import Prediction


def drawn(seed: int, count: int, classes: int = 4, first: float = 0.6, second: float = 0.95) -> StageAnswers:
    """A small graph whose confidence tells how often it is right, and a large one that is right more often."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, count)
    confidence = rng.random(count)

    def answers(right: np.ndarray) -> np.ndarray:
        return np.where(rng.random(count) < right, truth, rng.integers(0, classes, count))

    return StageAnswers(
        confidence, answers(confidence ** (1 / first - 1)), answers(np.full(count, second)), truth, classes
    )


def macro_f1(answers: StageAnswers, threshold: float) -> float:
    return macro_f1_present(answers.truth, answers.decided(threshold), answers.classes)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 60), st.floats(0, 0.2), st.booleans())
def test_no_threshold_that_keeps_the_macro_f1_lets_the_small_graph_answer_more(
    seed: int, count: int, drop: float, coarse: bool
) -> None:
    answers = drawn(seed, count)
    if coarse:  # many photos of equal confidence
        answers = StageAnswers(np.round(answers.confidence, 1), answers.first, answers.second, answers.truth, 4)
    chosen = choose_threshold(answers, drop)
    least = macro_f1_present(answers.truth, answers.second, 4) - drop
    shares = {
        float(answers.taken(each).mean()): macro_f1(answers, each)
        for each in (*np.unique(answers.confidence).tolist(), NEVER)
    }
    best = max(share for share, score in shares.items() if score >= least - 1e-9)
    assert float(answers.taken(chosen).mean()) == pytest.approx(best)
    assert macro_f1(answers, chosen) >= least - 1e-9


def test_the_estimate_is_of_photos_that_the_threshold_has_not_seen() -> None:
    fitted, estimated, new = [], [], []
    for seed in range(12):
        whole = drawn(seed, 2400)
        answers, rest = whole.at(np.arange(300)), whole.at(np.arange(300, 2400))
        found = fit_cascade(answers, 0.02, "once")
        assert found.fit is not None
        assert found.share == pytest.approx(float(answers.taken(found.threshold).mean()))
        assert found.fit.macro_f1 >= found.fit.second_macro_f1 - 0.02 - 1e-9
        large = macro_f1_present(rest.truth, rest.second, rest.classes)
        fitted.append(found.fit.macro_f1 - found.fit.second_macro_f1)
        estimated.append(found.fit.crossfitted_macro_f1 - found.fit.second_macro_f1)
        new.append(macro_f1(rest, found.threshold) - large)
    assert np.mean(fitted) > np.mean(estimated)  # the fitted figure is flattered
    assert abs(np.mean(estimated) - np.mean(new)) < abs(np.mean(fitted) - np.mean(new))


def test_what_the_small_graph_does_not_know_is_never_its_own() -> None:
    sure = Prediction("a", 0.99, True, (0.99, 0.01), known=False, novelty=2.0)
    answers = stage_answers([sure] * 4, [Prediction("b", 0.6, True, (0.4, 0.6))] * 4, [1, 1, 0, 1], 2)
    assert answers.confidence.tolist() == [-1.0] * 4
    assert choose_threshold(answers, 1.0) == NEVER
    assert not answers.taken(0.0).any()


def test_a_small_graph_that_is_always_right_answers_everything() -> None:
    answers = drawn(1, 80)
    right = StageAnswers(answers.confidence, answers.truth, answers.second, answers.truth, 4)
    found = fit_cascade(right, 0.0, "once")
    assert (found.threshold, found.share) == (0.0, 1.0)


def test_too_few_photos_and_a_small_graph_that_is_never_right_are_refused() -> None:
    with pytest.raises(UserError, match="got 49 photos that both graphs can read, a threshold needs 50"):
        fit_cascade(drawn(0, 49), 0.1, "once")
    answers = drawn(0, 200, second=1.0)
    wrong = StageAnswers(answers.confidence, (answers.truth + 1) % 4, answers.truth, answers.truth, 4)
    with pytest.raises(UserError, match=r"no threshold loses at most 0\.001 macro-F1"):
        fit_cascade(wrong, 0.001, "once")
