"""The linear probe: a solver that agrees with scikit-learn, features of a body, and a cache that survives kills."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression as Sklearn
from torch import nn

from leansort.arch.build import build
from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.spec.spec import ArchSpec
from leansort.core.errors import UserError
from leansort.core.preprocess import Preprocess
from leansort.train.linear_probe import feature_cache
from leansort.train.linear_probe.body_features import BodyFeatures
from leansort.train.linear_probe.logistic_regression import LabelledFeatures, LogisticRegression, standardize

SMALL = Preprocess(size=32)


def problem(crops: int, features: int, signal: float) -> LabelledFeatures:
    generator = torch.Generator().manual_seed(0)
    labels_n = torch.arange(crops) % 3
    x_nf = torch.randn(crops, features, generator=generator)
    x_nf[:, 1] = x_nf[:, 0] + 0.01 * x_nf[:, 1]  # nearly the same feature twice
    x_nf += signal * torch.randn(3, features, generator=generator)[labels_n]
    return LabelledFeatures(standardize(x_nf)[0], labels_n, torch.ones(crops), torch.zeros(3))


@pytest.mark.parametrize(("crops", "features"), [(90, 20), (40, 70)])  # fewer features than crops, and more
def test_it_is_the_classifier_that_scikit_learn_fits(crops: int, features: int) -> None:
    data, penalty = problem(crops, features, signal=0.5), 0.1
    own = LogisticRegression(data).fit(penalty)(data.x_nf).softmax(1).numpy()
    theirs = Sklearn(C=1 / (penalty * crops), tol=1e-8, max_iter=1000).fit(data.x_nf.numpy(), data.labels_n.numpy())
    np.testing.assert_allclose(own, theirs.predict_proba(data.x_nf.numpy()), atol=2e-3)


def test_a_weight_counts_as_so_many_crops() -> None:
    data = problem(60, 8, signal=0.5)
    twice = torch.arange(60) < 20
    repeated = torch.cat([torch.arange(60), torch.arange(20)])
    weighted = LabelledFeatures(data.x_nf, data.labels_n, 1.0 + twice, data.margin_c)
    doubled = LabelledFeatures(data.x_nf[repeated], data.labels_n[repeated], torch.ones(80), data.margin_c)
    a, b = (LogisticRegression(each).fit(0.1)(data.x_nf).softmax(1) for each in (weighted, doubled))
    torch.testing.assert_close(a, b, atol=3e-3, rtol=0)


def test_the_penalty_is_stronger_where_features_are_noise() -> None:
    folds_n = torch.arange(90) // 3 % 5
    noise, _ = LogisticRegression(problem(90, 60, signal=0.0)).choose_penalty(folds_n)
    clear, tried = LogisticRegression(problem(90, 60, signal=2.0)).choose_penalty(folds_n)
    assert noise == 1.0
    assert clear < noise
    assert min(tried, key=lambda score: score.loss).penalty == clear
    assert max(score.accuracy for score in tried) > 0.9


def test_crops_that_are_in_every_fit_are_never_held_out() -> None:
    data = problem(60, 8, signal=5.0)
    wrong = torch.arange(60) < 3
    labels_n = torch.where(wrong, (data.labels_n + 1) % 3, data.labels_n)
    spoilt = LabelledFeatures(data.x_nf, labels_n, data.weights_n, data.margin_c)
    folds_n = torch.where(wrong, -1, torch.arange(60) // 3 % 2)
    _, tried = LogisticRegression(spoilt).choose_penalty(folds_n, (0.1,))
    assert tried[0].accuracy == 1.0  # those three would be wrong


def test_features_are_the_classifiers_input_and_what_the_last_stages_put_out() -> None:
    network = build(ArchSpec(base="tiny_s", classes=4)).eval()
    body = BodyFeatures(network, 4, SMALL)
    x_bhwc = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    with torch.inference_mode():
        features_bf, again_bf = body(x_bhwc), body(x_bhwc)
    heads = [module for module in network.modules() if isinstance(module, nn.Linear)]
    assert body.names[0] == "classifier"
    assert 2 <= len(body.names) <= 4
    assert features_bf.shape[1] > heads[-1].in_features
    torch.testing.assert_close(features_bf, again_bf)


def test_a_network_without_a_linear_classifier_is_refused() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with pytest.raises(UserError, match="no linear classifier"):
        BodyFeatures(network, 4, SMALL)


def test_the_digest_of_a_body_leaves_the_classifier_out() -> None:
    network = build(ArchSpec(base="tiny_s", classes=4))
    before, (head,) = feature_cache.body_digest(network, 4), find_classifiers(network, 4)
    with torch.no_grad():
        head.weight.add_(1)
    assert feature_cache.body_digest(network, 4) == before
    with torch.no_grad():
        next(network.parameters()).add_(1)
    assert feature_cache.body_digest(network, 4) != before


def test_features_are_computed_once_and_anew_where_the_file_is_damaged(tmp_path: Path) -> None:
    calls: list[int] = []
    path = feature_cache.feature_file(tmp_path, "body", SMALL, ["classifier"], ["a", "b"])

    def compute() -> feature_cache.Features:
        calls.append(1)
        return np.ones((2, 3), np.float32)

    (tmp_path / f".{path.name}.dead.part").write_bytes(b"of a killed process")
    for _ in range(2):
        assert feature_cache.load_features(path, 2, compute).shape == (2, 3)
    assert len(calls) == 1
    assert not list(tmp_path.glob(".*.part"))
    path.write_bytes(path.read_bytes()[:-4])  # as a disk that filled up leaves it
    feature_cache.load_features(path, 2, compute)
    assert len(calls) == 2
    other = SMALL.model_copy(update={"mean": (0.5, 0.5, 0.5)})
    assert feature_cache.feature_file(tmp_path, "body", other, ["classifier"], ["a", "b"]) != path
    assert feature_cache.feature_file(tmp_path, "body", SMALL, ["classifier"], ["a", "c"]) != path
