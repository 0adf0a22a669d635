"""Accuracy, macro-F1 first: per-class table, confusion matrix, bootstrap interval, paired test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leansort.core.seeds import Seeds

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClassScore:
    """One row of the per-class table."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def confusion(truth: Ints, predicted: Ints, classes: int) -> Ints:
    """Count (true, predicted) pairs: rows are the truth, columns the prediction; shape (classes, classes)."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def macro_f1(truth: Ints, predicted: Ints, classes: int) -> float:
    """Mean F1 over all classes; a class absent from both truth and prediction counts as 0, as in the contest."""
    return float(_f1(confusion(truth, predicted, classes)[None])[0].mean())


def _f1(matrices: Ints) -> Floats:
    """F1 by class of (n, classes, classes) confusion matrices; 0 where nothing was there and nothing said."""
    hits: Floats = np.diagonal(matrices, axis1=1, axis2=2).astype(np.float64)
    both = matrices.sum(axis=1) + matrices.sum(axis=2)
    return np.asarray(2 * hits / np.maximum(both, 1), np.float64)


def per_class(truth: Ints, predicted: Ints, names: Sequence[str]) -> list[ClassScore]:
    """Precision, recall, F1 and support of every class."""
    matrix = confusion(truth, predicted, len(names))
    f1 = _f1(matrix[None])[0]
    hits, said, there = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    return [
        ClassScore(name, hits[i] / max(said[i], 1), hits[i] / max(there[i], 1), float(f1[i]), int(there[i]))
        for i, name in enumerate(names)
    ]


def macro_f1_interval(truth: Ints, predicted: Ints, classes: int, draws: int = 2000, seed: int = 0) -> Interval:
    """Macro-F1 with its 95 % percentile bootstrap interval over the samples (Efron 1979)."""
    scores = _f1(_resampled(truth, predicted, classes, _indices(len(truth), draws, seed))).mean(axis=1)
    low, high = np.quantile(scores, [0.025, 0.975])
    return Interval(macro_f1(truth, predicted, classes), float(low), float(high))


def paired_difference(truth: Ints, a: Ints, b: Ints, classes: int, draws: int = 2000, seed: int = 0) -> Interval:
    """Macro-F1 of `b` minus that of `a` on the same samples, with its paired 95 % bootstrap interval."""
    indices = _indices(len(truth), draws, seed)
    first, second = (_f1(_resampled(truth, p, classes, indices)).mean(axis=1) for p in (a, b))
    low, high = np.quantile(second - first, [0.025, 0.975])
    return Interval(macro_f1(truth, b, classes) - macro_f1(truth, a, classes), float(low), float(high))


def _indices(length: int, draws: int, seed: int) -> Ints:
    return Seeds(seed).child("measure/bootstrap").numpy().integers(0, length, (draws, length))


def _resampled(truth: Ints, predicted: Ints, classes: int, indices: Ints) -> Ints:
    cells = truth * classes + predicted
    counted = [np.bincount(cells[row], minlength=classes * classes) for row in indices]
    return np.stack(counted).reshape(-1, classes, classes)
