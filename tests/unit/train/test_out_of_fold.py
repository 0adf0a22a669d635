"""Out-of-fold predictions: no photo has a say about itself, nor has its group."""

from __future__ import annotations

import torch
from torch import Tensor

from leansort.train.linear_probe.logistic_regression import LabelledFeatures, LogisticRegression, standardize
from leansort.train.linear_probe.out_of_fold import neighbour_votes, predict_out_of_fold


def blobs(crops: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels_n = torch.arange(crops) % 3
    x_nf = torch.randn(crops, 8, generator=generator) + 2 * torch.randn(3, 8, generator=generator)[labels_n]
    return standardize(x_nf)[0], labels_n


def test_a_photo_and_its_group_have_no_vote() -> None:
    x_nf, labels_n = blobs(60)
    twin_nf = torch.cat([x_nf, x_nf[:1]])
    wrong_n = torch.cat([labels_n, labels_n[:1]])
    wrong_n[0] = wrong_n[60] = (labels_n[0] + 1) % 3
    apart_n, together_n = torch.arange(61), torch.arange(61) % 60
    with_twin = neighbour_votes(twin_nf, wrong_n, apart_n, 3)[0]
    without = neighbour_votes(twin_nf, wrong_n, together_n, 3)[0]
    assert with_twin[wrong_n[0]] > without[wrong_n[0]]
    torch.testing.assert_close(without.sum(), torch.tensor(1.0, dtype=torch.float64))
    assert int(without.argmax()) == int(labels_n[0])


def test_a_photo_without_other_groups_has_no_preference() -> None:
    votes = neighbour_votes(torch.eye(4), torch.tensor([0, 1, 0, 1]), torch.zeros(4, dtype=torch.long), 2)
    torch.testing.assert_close(votes, torch.full((4, 2), 0.5, dtype=torch.float64))


def test_held_out_logits_are_those_of_a_fit_on_the_other_folds() -> None:
    x_nf, labels_n = blobs(60)
    folds_n = torch.arange(60) // 3 % 2
    folds_n[0] = -1
    data = LabelledFeatures(x_nf, labels_n, torch.ones(60), torch.zeros(3))
    logits_nc = LogisticRegression(data).held_out_logits(0.1, folds_n)
    others = LabelledFeatures(x_nf, labels_n, (folds_n != 1).float(), torch.zeros(3))
    expected_nc = LogisticRegression(others).fit(0.1)(x_nf)
    torch.testing.assert_close(logits_nc[folds_n == 1], expected_nc[folds_n == 1], atol=5e-3, rtol=0)
    assert not logits_nc[0].any()


def test_a_wrong_label_is_the_least_probable_one() -> None:
    x_nf, labels_n = blobs(90)
    labels_n[7] = (labels_n[7] + 1) % 3
    folds_n = torch.arange(90) // 3 % 5
    predicted = predict_out_of_fold(x_nf, labels_n, torch.arange(90), folds_n, 3)
    own_n = predicted.p_nc[torch.arange(90), labels_n]
    assert int(own_n.argmin()) == 7
    torch.testing.assert_close(predicted.p_nc.sum(1), torch.ones(90, dtype=torch.float64))
