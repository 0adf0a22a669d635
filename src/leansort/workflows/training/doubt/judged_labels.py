"""Labels judged by out-of-fold predictions on features, in the rows of a manifest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from leansort.core.manifest import Row
from leansort.data.quality.confident_learning import LabelDoubts, Probabilities, doubt_labels
from leansort.train.linear_probe.feature_cache import Features
from leansort.train.linear_probe.logistic_regression import standardize
from leansort.train.linear_probe.out_of_fold import predict_out_of_fold
from leansort.workflows.training.doubt.doubt_result import DoubtfulLabel
from leansort.workflows.training.quick.quick_probe import folds_of

_PER_THREAD = 2000  # photos


@dataclass(frozen=True)
class JudgedLabels:
    """Labels and what out-of-fold predictions say of them.

    Attributes:
        doubts: over the judged photos.
        judged: index of each of them among all photos.
        p_nc: float64 (judged, classes) probabilities.
        folds: number of folds.
        penalty: of the linear classifiers.
    """

    doubts: LabelDoubts
    judged: Sequence[int]
    p_nc: Probabilities
    folds: int
    penalty: float

    @property
    def agreement(self) -> float:
        """Fraction of the labels that are the most probable class."""
        best_n, own_n = self.p_nc.max(1), self.doubts.own_n
        return round(float((own_n >= best_n).mean()), 6)


def judge_labels(features_nf: Features, rows: Sequence[Row], classes: int, seed: int, folds: int) -> JudgedLabels:
    """Judge labels by predictions of classifiers that have not seen them.

    Args:
        features_nf: float32 (n, f), a row for each photo.
        rows: the photos.
        classes: number of classes.
        seed: of the folds.
        folds: number of them, stratified by class; photos of one group are in one fold.

    Raises:
        UserError: fewer than two groups of photos can be held out.
    """
    # Splits play no part: each photo, also of val and test, is judged by all the others.
    joined = [replace(row, split="train") for row in rows]
    labels_n = torch.tensor([row.label for row in rows])
    counts = torch.bincount(labels_n, minlength=classes).tolist()
    folds_n = folds_of(joined, counts, seed, folds)
    (x_nf,) = standardize(torch.from_numpy(features_nf))
    predicted = predict_out_of_fold(x_nf, labels_n, _groups(rows), folds_n, classes)
    judged = torch.nonzero(folds_n >= 0)[:, 0]
    p_nc = predicted.p_nc[judged].numpy()
    doubts = doubt_labels(p_nc, labels_n[judged].numpy())
    return JudgedLabels(doubts, judged.tolist(), p_nc, int(folds_n.max()) + 1, predicted.penalty)


@contextmanager
def fewer_threads(photos: int) -> Iterator[None]:
    """Compute with a thread for so many photos: more of them wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, photos // _PER_THREAD)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _groups(rows: Sequence[Row]) -> Tensor:
    numbers: dict[str, int] = {}
    return torch.tensor([numbers.setdefault(row.group, len(numbers)) for row in rows])


def rank_labels(rows: Sequence[Row], names: Sequence[str], judged: JudgedLabels) -> list[DoubtfulLabel]:
    """All judged labels with their photos, the most doubtful first."""
    doubts, items = judged.doubts, []
    for rank, at in enumerate(doubts.order_n.tolist(), 1):
        row, suggested = rows[judged.judged[at]], int(doubts.suggested_n[at])
        own, other = round(float(doubts.own_n[at]), 6), round(float(judged.p_nc[at, suggested]), 6)
        flagged = bool(doubts.flagged_n[at])
        items.append(DoubtfulLabel(rank, row.image, row.split, names[row.label], names[suggested], own, other, flagged))
    return items
