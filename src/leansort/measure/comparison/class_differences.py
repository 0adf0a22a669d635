"""F1 of each class by two classifiers, and how sure the difference is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.metrics import Floats, Interval, Ints

FEW_CROPS = 30  # of a class; with fewer, a bootstrap interval is too narrow, and one crop moves F1 by several points


@dataclass(frozen=True)
class ClassDifference:
    """One class by both classifiers.

    Attributes:
        name: of the class.
        support: crops of the class in the ground truth.
        a: F1 of A; None where the class has no crop.
        b: F1 of B; None where the class has no crop.
        difference: F1 of B minus that of A, with its paired 95 % bootstrap interval; None where the class has no crop.
    """

    name: str
    support: int
    a: float | None
    b: float | None
    difference: Interval | None

    @property
    def few(self) -> bool:
        """Whether the class has so few crops that the interval is a rough one."""
        return self.support < FEW_CROPS


def class_differences(
    truth: Ints, a: Ints, b: Ints, names: Sequence[str], draws: int = 2000, seed: int = 0
) -> list[ClassDifference]:
    """Compare two classifiers class by class on the same bootstrap resamples.

    Args:
        truth: class index of each crop, shape (n,).
        a: class index that A predicts for each crop, shape (n,).
        b: class index that B predicts for each crop, shape (n,).
        names: of the classes.
        draws: bootstrap resamples; a resample without a crop of a class tells nothing of that class.
        seed: of the resamples; those of the macro-F1 of the same seed.
    """
    indices = metrics.bootstrap_indices(len(truth), draws, seed)
    gaps = _f1(truth, b, names, indices) - _f1(truth, a, names, indices)
    here = np.arange(len(truth))[None]
    first, second = _f1(truth, a, names, here)[0], _f1(truth, b, names, here)[0]
    support = np.bincount(truth, minlength=len(names))
    return [
        ClassDifference(name, int(n), float(x), float(y), _interval(float(y - x), gap))
        if n
        else ClassDifference(name, 0, None, None, None)
        for name, n, x, y, gap in zip(names, support, first, second, gaps.T, strict=True)
    ]


def _f1(truth: Ints, predicted: Ints, names: Sequence[str], indices: Ints) -> Floats:
    """F1 by resample and class, NaN where a resample has no crop of the class; shape (draws, classes)."""
    matrices = metrics.resampled_confusions(truth, predicted, len(names), indices)
    return np.where(matrices.sum(axis=2) > 0, metrics.f1_by_class(matrices), np.nan)


def _interval(value: float, drawn: Floats) -> Interval:
    low, high = np.quantile(drawn[~np.isnan(drawn)], [0.025, 0.975])
    return Interval(value, float(low), float(high))
