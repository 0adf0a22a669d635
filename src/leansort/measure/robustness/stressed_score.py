"""What a network keeps under stress in one number, the mean macro-F1 over the kinds, and how two networks differ in it.

Intervals are percentiles of a bootstrap over the crops (Efron 1979). A resample draws crops, and takes each with all
its corruptions: those of one photo are no independent samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leansort.measure.accuracy.metrics import (
    Interval,
    bootstrap_indices,
    f1_by_class,
    least_recall,
    macro_f1_present,
    resampled_confusions,
)
from leansort.measure.robustness.stressed_crops import StressedCrops

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
DRAWS = 1000


@dataclass(frozen=True)
class StressedScore:
    """What a network keeps under stress.

    Attributes:
        macro_f1: mean over the kinds, with its 95 % interval.
        kinds: macro-F1 of each kind.
    """

    macro_f1: Interval
    kinds: dict[str, float]


def score_under_stress(stressed: StressedCrops, predicted_kn: Ints, classes: int) -> StressedScore:
    """Score what a network says of crops under stress.

    Args:
        stressed: the crops.
        predicted_kn: class of each crop under each kind, -1 where there is none, which is wrong.
        classes: number of classes.
    """
    given_kn = _answers(stressed, predicted_kn, classes)
    by_kind = _by_kind(stressed, given_kn, classes)
    resampled = _resampled_means(stressed, given_kn, classes)
    low, high = np.quantile(resampled, [0.025, 0.975])
    if all(value == 1.0 for value in by_kind.values()):  # what so few crops cannot show, see `macro_f1_interval`
        low = least_recall(np.bincount(stressed.label_n))
    mean = float(np.mean(list(by_kind.values())))
    return StressedScore(Interval(mean, float(low), float(high)), by_kind)


def stressed_drop(stressed: StressedCrops, before_kn: Ints, after_kn: Ints, classes: int) -> Interval:
    """Fall of the mean macro-F1 from one network to another, over 0 where the second is worse, by paired bootstrap."""
    before, after = (_answers(stressed, given, classes) for given in (before_kn, after_kn))
    falls = _resampled_means(stressed, before, classes) - _resampled_means(stressed, after, classes)
    low, high = np.quantile(falls, [0.025, 0.975])
    means = [np.mean(list(_by_kind(stressed, given, classes).values())) for given in (before, after)]
    return Interval(float(means[0] - means[1]), float(low), float(high))


def _answers(stressed: StressedCrops, predicted_kn: Ints, classes: int) -> Ints:
    """The predictions, with a wrong class where there is none."""
    return np.where(predicted_kn < 0, (stressed.label_n + 1) % classes, predicted_kn)


def _by_kind(stressed: StressedCrops, given_kn: Ints, classes: int) -> dict[str, float]:
    return {
        kind: macro_f1_present(stressed.label_n[there], given[there], classes)
        for kind, given, there in zip(stressed.facts.kinds, given_kn, stressed.there_kn, strict=True)
    }


def _resampled_means(stressed: StressedCrops, given_kn: Ints, classes: int) -> Floats:
    """Mean macro-F1 over the kinds of each resample; a kind of which a resample has no crop is left out of it."""
    indices = bootstrap_indices(len(stressed.label_n), DRAWS, 0)
    sums, counts = np.zeros(DRAWS), np.zeros(DRAWS)
    for given, there in zip(given_kn, stressed.there_kn, strict=True):
        # crops that are not there become one more class, which is then cut off
        label, answer = (np.where(there, values, classes) for values in (stressed.label_n, given))
        matrices = resampled_confusions(label, answer, classes + 1, indices)[:, :classes, :classes]
        shown = matrices.sum(axis=2) > 0
        some = shown.any(axis=1)
        f1 = (f1_by_class(matrices) * shown).sum(axis=1) / np.maximum(shown.sum(axis=1), 1)
        sums, counts = sums + f1 * some, counts + some
    return np.asarray(sums[counts > 0] / counts[counts > 0], np.float64)
