"""Predictions for photos by classifiers that have not seen them: a linear one, and the nearest other photos.

The linear classifier knows what holds of a class as a whole, the neighbours what holds of photos like this one; where a
label is wrong the two rarely err together. Their mean finds more of the wrong labels than either alone (ADR 31).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from leansort.train.linear_probe.logistic_regression import LabelledFeatures, LogisticRegression

NEIGHBOURS = 15
_SHARPNESS = 10.0  # of the votes: a cosine larger by 0.1 counts 2.7 times
_BLOCK = 1024  # photos that are compared with all at a time


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of photos that took no part in them.

    Attributes:
        p_nc: float64 (n, classes) probabilities; rows of photos that no fold holds out mean nothing.
        penalty: of the linear classifiers, chosen by cross-validation.
    """

    p_nc: Tensor
    penalty: float


def predict_out_of_fold(x_nf: Tensor, labels_n: Tensor, groups_n: Tensor, folds_n: Tensor, classes: int) -> OutOfFold:
    """Predict each photo from the others.

    Args:
        x_nf: float32 (n, f) features, standardized.
        labels_n: (n,) class indices.
        groups_n: (n,) group of each photo; photos of its own group have no vote.
        folds_n: (n,) fold that each photo is held out in; -1: never.
        classes: number of classes.
    """
    data = LabelledFeatures(x_nf, labels_n, torch.ones(len(labels_n)), torch.zeros(classes))
    problem = LogisticRegression(data)
    penalty, _ = problem.choose_penalty(folds_n)
    linear_nc = problem.held_out_logits(penalty, folds_n).double().softmax(1)
    return OutOfFold((linear_nc + neighbour_votes(x_nf, labels_n, groups_n, classes)) / 2, penalty)


def neighbour_votes(x_nf: Tensor, labels_n: Tensor, groups_n: Tensor, classes: int) -> Tensor:
    """Probabilities (n, classes) by the labels of the nearest photos of other groups, the nearer ones counting more.

    Args:
        x_nf: float32 (n, f) features, standardized; near are those with a large cosine.
        labels_n: (n,) class indices.
        groups_n: (n,) group of each photo.
        classes: number of classes.
    """
    unit_nf, votes = F.normalize(x_nf), []
    one_hot_nc = F.one_hot(labels_n, classes).double()
    for start in range(0, len(x_nf), _BLOCK):
        block = slice(start, start + _BLOCK)
        cosines_bn = unit_nf[block] @ unit_nf.T
        cosines_bn[groups_n[block, None] == groups_n[None]] = -torch.inf
        near_bk, at_bk = cosines_bn.topk(min(NEIGHBOURS, len(x_nf) - 1))
        # A photo whose only neighbours are its own group has none that may vote, and so no preference.
        weights_bk = (near_bk.double() * _SHARPNESS).softmax(1).nan_to_num(0.0)
        votes.append((weights_bk[:, :, None] * one_hot_nc[at_bk]).sum(1))
    result_nc = torch.cat(votes)
    return torch.where(result_nc.sum(1, keepdim=True) > 0, result_nc, 1 / classes)
