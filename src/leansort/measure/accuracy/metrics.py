"""Accuracy, macro-F1 first: per-class table, confusion matrix, bootstrap interval, paired test.

There are two macro-F1. Ours is the mean over the classes that the ground truth shows: a class without a crop says
nothing of a network, and as the classes depend on the crops alone, all networks are compared over the same ones. The
other is the mean over all classes, and counts 0 for one that neither the ground truth nor the predictions show.
"""

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

    def __str__(self) -> str:
        """As `0.9123 (95 % 0.8801 – 0.9412)`."""
        return f"{self.value:.4f} (95 % {self.low:.4f} – {self.high:.4f})"


@dataclass(frozen=True)
class Coverage:
    """Which classes a macro-F1 was taken over.

    Attributes:
        taken: names of the classes with a crop.
        left_out: those without.
    """

    taken: tuple[str, ...]
    left_out: tuple[str, ...]

    def __str__(self) -> str:
        """As `over 6 classes`, or `over 5 of 6 classes`."""
        whole = len(self.taken) + len(self.left_out)
        return f"over {whole} classes" if not self.left_out else f"over {len(self.taken)} of {whole} classes"

    def sentence(self, where: str) -> str:
        """Why classes are missing from the mean; empty where none is. `where` names the crops, such as `test`."""
        if not self.left_out:
            return ""
        names = ", ".join(f"'{name}'" for name in self.left_out)
        have, were = ("has", "was") if len(self.left_out) == 1 else ("have", "were")
        return f"{names} {have} no crop in {where} and {were} left out of the mean"

    def describe(self, where: str) -> DescribedCoverage:
        """Return the same with its sentences; `where` names the crops, such as `test`."""
        return DescribedCoverage(self.taken, self.left_out, str(self), self.sentence(where))

    def to_json(self) -> dict[str, list[str]]:
        """As plain data."""
        return {"taken": list(self.taken), "left_out": list(self.left_out)}


@dataclass(frozen=True)
class DescribedCoverage(Coverage):
    """Which classes a macro-F1 was taken over, and how that is said.

    Attributes:
        over: as `over 5 of 6 classes`.
        note: why classes are missing from the mean; empty where none is.
    """

    over: str
    note: str = ""

    def __str__(self) -> str:
        """The same as `over`."""
        return self.over


def coverage(names: Sequence[str], crops: Sequence[int]) -> Coverage:
    """Which classes a macro-F1 is taken over, by the crops that the ground truth has of each."""
    pairs = list(zip(names, crops, strict=True))
    return Coverage(tuple(name for name, n in pairs if n), tuple(name for name, n in pairs if not n))


def confusion(truth: Ints, predicted: Ints, classes: int) -> Ints:
    """Return the confusion matrix: rows are the ground truth, columns the predictions; shape (classes, classes)."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def macro_f1(truth: Ints, predicted: Ints, classes: int) -> float:
    """Mean F1 over all classes; a class absent from both ground truth and prediction counts as 0."""
    return float(f1_by_class(confusion(truth, predicted, classes)[None])[0].mean())


def macro_f1_present(truth: Ints, predicted: Ints, classes: int) -> float:
    """Macro-F1 over the classes that occur in the ground truth, which may not be empty.

    It equals scikit-learn's `f1_score(truth, predicted, average="macro", labels=sorted(set(truth)))`. A prediction of a
    class that is not shown still costs the recall of the crop's own class.
    """
    return float(_present_f1(confusion(truth, predicted, classes)[None])[0])


def _present_f1(matrices: Ints) -> Floats:
    """Mean F1 over the classes with a true crop, of (n, classes, classes) confusion matrices; shape (n,)."""
    there = matrices.sum(axis=2) > 0
    return np.asarray((f1_by_class(matrices) * there).sum(axis=1) / there.sum(axis=1), np.float64)


def f1_by_class(matrices: Ints) -> Floats:
    """F1 by class of (n, classes, classes) confusion matrices; 0 for a class without crops and predictions."""
    hits: Floats = np.diagonal(matrices, axis1=1, axis2=2).astype(np.float64)
    both = matrices.sum(axis=1) + matrices.sum(axis=2)
    return np.asarray(2 * hits / np.maximum(both, 1), np.float64)


def per_class(truth: Ints, predicted: Ints, names: Sequence[str]) -> list[ClassScore]:
    """Precision, recall, F1 and support of every class."""
    matrix = confusion(truth, predicted, len(names))
    f1 = f1_by_class(matrix[None])[0]
    hits, text, there = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    return [
        ClassScore(name, hits[i] / max(text[i], 1), hits[i] / max(there[i], 1), float(f1[i]), int(there[i]))
        for i, name in enumerate(names)
    ]


def macro_f1_interval(truth: Ints, predicted: Ints, classes: int, draws: int = 2000, seed: int = 0) -> Interval:
    """Macro-F1 over the classes shown with its 95 % percentile bootstrap interval over the samples (Efron 1979).

    Where every prediction is right each resample is, too, and the bootstrap knows nothing of the errors that so few
    crops cannot show; the interval then begins where `least_recall` says.
    """
    scores = _present_f1(resampled_confusions(truth, predicted, classes, bootstrap_indices(len(truth), draws, seed)))
    low, high = np.quantile(scores, [0.025, 0.975])
    if np.array_equal(truth, predicted):
        low = least_recall(np.bincount(truth))
    return Interval(macro_f1_present(truth, predicted, classes), float(low), float(high))


def least_recall(crops: Ints, chance: float = 0.025) -> float:
    """The least macro recall of a network that makes no error on these crops with at least this chance.

    For one class it is the exact (Clopper and Pearson 1934) bound `chance ** (1 / n)`. For several, with recalls q and
    crops n by class, it is the least mean of q with `prod(q ** n) >= chance`; there, q is n times one factor, and at
    most 1.

    Args:
        crops: of each class; those of 0 crops are left out.
        chance: of seeing no error.
    """
    n = crops[crops > 0].astype(np.float64)
    low, high = 0.0, 1.0
    for _ in range(60):
        factor = (low + high) / 2
        possible = (n * np.log(np.minimum(1.0, factor * n))).sum() >= np.log(chance)
        low, high = (low, factor) if possible else (factor, high)
    return float(np.minimum(1.0, high * n).mean())


def paired_difference(truth: Ints, a: Ints, b: Ints, classes: int, draws: int = 2000, seed: int = 0) -> Interval:
    """Macro-F1 of `b` minus that of `a` on the same samples, with its paired 95 % bootstrap interval."""
    indices = bootstrap_indices(len(truth), draws, seed)
    first, second = (_present_f1(resampled_confusions(truth, p, classes, indices)) for p in (a, b))
    low, high = np.quantile(second - first, [0.025, 0.975])
    return Interval(macro_f1_present(truth, b, classes) - macro_f1_present(truth, a, classes), float(low), float(high))


def bootstrap_indices(length: int, draws: int, seed: int) -> Ints:
    """Indices of the samples that each bootstrap resample draws with replacement; shape (draws, length)."""
    return Seeds(seed).child("measure/bootstrap").numpy().integers(0, length, (draws, length))


def resampled_confusions(truth: Ints, predicted: Ints, classes: int, indices: Ints) -> Ints:
    """Confusion matrices of resamples; shape (draws, classes, classes).

    Args:
        truth: class index of each sample, shape (n,).
        predicted: predicted class index of each sample, shape (n,).
        classes: number of classes.
        indices: samples of each resample, shape (draws, n), as `bootstrap_indices` draws them.
    """
    cells = truth * classes + predicted
    counted = [np.bincount(cells[row], minlength=classes * classes) for row in indices]
    return np.stack(counted).reshape(-1, classes, classes)
