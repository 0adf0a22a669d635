"""How sure precision, recall and F1 of each class are: bootstrap intervals over the crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.metrics import Floats, Interval, Ints

MOST_CLASSES = 60  # of more, the resampled confusion matrices take gigabytes and no table of them is read
DRAWS = 1000


@dataclass(frozen=True)
class ClassInterval:
    """The figures of one class, each with its 95 % bootstrap interval.

    Attributes:
        precision: None where nothing was taken for the class.
        recall: fraction of the class's crops.
        f1: of both.
    """

    precision: Interval | None
    recall: Interval
    f1: Interval


def class_intervals(
    truth: Ints, predicted: Ints, classes: int, draws: int = DRAWS, seed: int = 0
) -> list[ClassInterval | None]:
    """Resample the crops; a resample without a crop of a class tells nothing of it.

    Where a class has no error each resample has none, too; the interval then ends where the exact bound of Clopper and
    Pearson does, as with `metrics.macro_f1_interval`.

    Args:
        truth: class index of each crop, (n,), at least one.
        predicted: class index that each is taken for, (n,).
        classes: number of classes.
        draws: resamples.
        seed: of the bootstrap.

    Returns:
        The intervals by class; None for a class without a crop, and for all where there are more than `MOST_CLASSES`.
    """
    support = np.bincount(truth, minlength=classes)
    if classes > MOST_CLASSES:
        return [None] * classes
    indices = metrics.bootstrap_indices(len(truth), draws, seed)
    drawn = _figures(metrics.resampled_confusions(truth, predicted, classes, indices))
    whole = _figures(metrics.confusion(truth, predicted, classes)[None])[:, 0]
    return [_intervals(whole[:, at], drawn[:, :, at], int(n)) if n else None for at, n in enumerate(support)]


def _figures(matrices: Ints) -> Floats:
    """Precision, recall and F1, NaN where there is none to be had; (3, draws, classes)."""
    hits = np.diagonal(matrices, axis1=1, axis2=2).astype(np.float64)
    taken, there = matrices.sum(axis=1), matrices.sum(axis=2)
    both = np.where(there > 0, metrics.f1_by_class(matrices), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([hits / taken, hits / there, both])


def _intervals(values: Floats, drawn: Floats, crops: int) -> ClassInterval:
    precision, recall, f1 = (_interval(value, row, crops) for value, row in zip(values, drawn, strict=True))
    assert recall is not None  # the class has a crop
    assert f1 is not None
    return ClassInterval(precision, recall, f1)


def _interval(value: float, drawn: Floats, crops: int) -> Interval | None:
    known = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(known):
        return None
    low, high = (float(end) for end in np.quantile(known, [0.025, 0.975]))
    if value == 1:
        low = min(low, metrics.least_recall(np.array([crops])))
    return Interval(float(value), low, high)
