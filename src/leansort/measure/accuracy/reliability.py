"""Whether confidences are kept: of the labels given with a probability of 0.8, are 80 % right?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]
BINS = 10
COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
_Z = 1.959964  # of the normal distribution, 97.5 %


@dataclass(frozen=True)
class ReliabilityBin:
    """Labels of about one confidence.

    Attributes:
        count: number of them, at least 1.
        confidence: mean of their probabilities.
        accuracy: fraction of them that are right.
        low: lower end of its 95 % interval (Wilson 1927).
        high: upper end.
    """

    count: int
    confidence: float
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class AcceptedFraction:
    """What accepting only the surest labels comes to.

    Attributes:
        coverage: fraction that was asked for.
        count: labels accepted.
        accuracy: fraction of them that are right.
        low: lower end of its 95 % interval (Wilson 1927).
        high: upper end.
        threshold: the least probability among them.
    """

    coverage: float
    count: int
    accuracy: float
    low: float
    high: float
    threshold: float


def reliability(confidences: Floats, right: npt.NDArray[np.bool_], bins: int = BINS) -> list[ReliabilityBin]:
    """Gather labels by confidence into bins of equal width; empty ones are left out.

    Args:
        confidences: probability of each label that was given, (n,).
        right: whether it is right, (n,).
        bins: between 0 and 1.
    """
    at = np.minimum((confidences * bins).astype(int), bins - 1)
    made = []
    for number in range(bins):
        inside = at == number
        if count := int(inside.sum()):
            hits = int(right[inside].sum())
            made.append(
                ReliabilityBin(count, float(confidences[inside].mean()), hits / count, *wilson_interval(hits, count))
            )
    return made


def accepted_fractions(confidences: Floats, right: npt.NDArray[np.bool_]) -> list[AcceptedFraction]:
    """Accuracy of the surest labels, for each of `COVERAGES`.

    Args:
        confidences: probability of each label that was given, (n,), at least one.
        right: whether it is right, (n,).
    """
    order = np.argsort(-confidences, kind="stable")
    made = []
    for coverage in COVERAGES:
        kept = order[: max(1, round(coverage * len(order)))]
        hits = int(right[kept].sum())
        ends = wilson_interval(hits, len(kept))
        made.append(AcceptedFraction(coverage, len(kept), hits / len(kept), *ends, float(confidences[kept[-1]])))
    return made


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """95 % score interval of a fraction (Wilson 1927); `count` is at least 1."""
    rate, square = hits / count, _Z * _Z
    middle = (rate + square / (2 * count)) / (1 + square / count)
    half = _Z / (1 + square / count) * math.sqrt(rate * (1 - rate) / count + square / (4 * count * count))
    return (0.0 if hits == 0 else max(0.0, middle - half)), (1.0 if hits == count else min(1.0, middle + half))
