"""Novelty: every score on logits whose answer is known, the scale, and what a classifier makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import entr, logsumexp, softmax

from leansort.core import bundle as bundles
from leansort.core.errors import IntegrityError
from leansort.core.files.bundle_decisions import LOGIT_METHODS, LogitMethod, NoveltyScale
from leansort.core.writing import atomic_io
from leansort.measure.accuracy.novelty_fit import fit_novelty, novelty_threshold
from leansort.runtime.decisions.novelty import novelty_on, novelty_scores
from leansort.runtime.predictor import Classifier
from tests.support.graphs import SIZE, colour_bundle

T = 0.7


def drawn(count: int = 200) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 4, (count, 5)).astype(np.float32)


@pytest.mark.parametrize("method", LOGIT_METHODS)
def test_what_is_flat_is_more_novel_than_what_is_sure(method: LogitMethod) -> None:
    flat, sure = novelty_scores(np.array([[0.1, 0.0, 0.05], [9.0, -2.0, -3.0]]), method, T)
    assert flat > sure


def test_scores_are_those_of_scipy() -> None:
    logits = drawn().astype(np.float64)
    p = softmax(logits / T, axis=1)
    first = np.sort(logits, axis=1)
    expected = {
        "energy": -T * logsumexp(logits / T, axis=1),
        "max_logit": -logits.max(1),
        "max_softmax": 1 - p.max(1),
        "margin": first[:, -2] - first[:, -1],
        "entropy": entr(p).sum(1),
        "generalized_entropy": ((p * (1 - p)) ** 0.1).sum(1),
    }
    for method in LOGIT_METHODS:
        assert novelty_scores(logits, method, T) == pytest.approx(expected[method], abs=1e-6), method


def test_scores_bear_the_largest_logits() -> None:
    for method in LOGIT_METHODS:
        assert np.isfinite(novelty_scores(np.array([[1e30, -1e30], [0.0, 0.0]]), method, 0.01)).all(), method


@pytest.mark.parametrize("recall", [0.5, 0.95, 1.0])
@pytest.mark.parametrize("method", LOGIT_METHODS)
def test_the_threshold_leaves_as_many_known_as_asked(method: LogitMethod, recall: float) -> None:
    logits = drawn()
    scores = novelty_scores(logits, method, T)
    scale = fit_novelty(scores, method, recall)
    novelties = np.array([novelty_on(scale, score) for score in scores])
    assert (novelties <= 1).mean() == pytest.approx(recall, abs=0.03)
    assert (novelties <= 1).mean() >= recall
    assert novelties.min() == 0


def test_the_threshold_lies_between_two_scores() -> None:
    assert novelty_threshold(np.array([4.0, 1.0, 2.0, 3.0]), 0.5) == 2.5
    assert novelty_threshold(np.array([1.0, 2.0, 2.0, 3.0]), 0.5) == 2.5  # equal ones go together
    assert novelty_threshold(np.array([1.0, 2.0]), 1.0) == 2.5


def test_equal_crops_give_a_scale_all_the_same() -> None:
    scale = fit_novelty(np.ones(7), "energy")
    assert novelty_on(scale, scale.zero) == 0
    assert novelty_on(scale, scale.threshold) == pytest.approx(1)


def test_a_classifier_tells_what_it_does_not_know(tmp_path: Path) -> None:
    plain = colour_bundle()
    scale = NoveltyScale(method="max_logit", zero=-200.0, span=100.0, reject=True)
    told = bundles.Bundle(plain.meta.model_copy(update={"novelty": scale}), plain.files)
    told.save(tmp_path / "m.leansort")
    with Classifier.load(tmp_path / "m.leansort") as classifier:
        red = np.zeros((SIZE, SIZE, 3), np.uint8)
        red[..., 0] = 150
        seen, dark = classifier.predict(red), classifier.predict(red // 3)
    assert (seen.known, seen.accepted) == (True, True)
    assert seen.novelty == pytest.approx(0.5)
    assert (dark.known, dark.accepted) == (False, False)
    assert dark.novelty == pytest.approx(1.5)


def test_a_bundle_without_the_section_tells_nothing_and_keeps_its_bytes() -> None:
    plain = colour_bundle()
    assert "novelty" not in plain.meta.to_json()
    with Classifier.of(plain) as classifier:
        prediction = classifier.predict(np.zeros((SIZE, SIZE, 3), np.uint8))
    assert (prediction.novelty, prediction.known) == (None, None)


@pytest.mark.parametrize(
    ("key", "value"), [("method", "magic"), ("span", 0.0), ("recall", 0), ("zero", 1e40), ("more", 1)]
)
def test_a_hostile_section_is_refused_in_one_line(key: str, value: object, tmp_path: Path) -> None:
    plain = colour_bundle()
    section = {"method": "energy", "zero": -200.0, "span": 100.0} | {key: value}
    meta = {**plain.meta.to_json(), "novelty": section}
    content = atomic_io.canonical_json(meta, indent=1).encode()
    members = {**plain.files, "bundle.json": content}
    (tmp_path / "m.leansort").write_bytes(bundles.zip_members(members | {"hashes.json": bundles.hash_members(members)}))
    with pytest.raises(IntegrityError, match="novelty") as error:
        bundles.load(tmp_path / "m.leansort")
    assert "\n" not in str(error.value)
