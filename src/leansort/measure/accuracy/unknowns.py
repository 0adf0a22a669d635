"""How well a score of novelty parts what a network knows from what it does not.

Unknown images are the positives: a good score is higher for them. Intervals are percentile bootstraps over known and
unknown images, each drawn anew from its own kind (Efron 1979).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leansort.core.seeds import Seeds
from leansort.measure.accuracy.metrics import Interval

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)  # of known images


@dataclass(frozen=True)
class AcceptedAt:
    """What accepting the least novel images comes to.

    Attributes:
        coverage: fraction of the known images that is accepted.
        accuracy: fraction of right labels among all that is accepted; an unknown image has none.
        known_accuracy: the same among the known images alone.
        unknown: fraction of the unknown images that is accepted, too.
    """

    coverage: float
    accuracy: float
    known_accuracy: float
    unknown: float


@dataclass(frozen=True)
class MethodScore:
    """How well one score of novelty parts known from unknown images.

    Attributes:
        method: name of the score.
        auroc: probability that an unknown image is more novel than a known one; equal ones count half.
        fpr: fraction of unknown images taken for known, where `recall` of the known ones are.
        recall: of known images, at which `fpr` is told.
        curve: accuracy against coverage, from all known images down to half of them.
    """

    method: str
    auroc: Interval
    fpr: Interval
    recall: float
    curve: tuple[AcceptedAt, ...]


def score_method(
    method: str, known: Floats, unknown: Floats, right: Bools, *, recall: float = 0.95, draws: int = 1000, seed: int = 0
) -> MethodScore:
    """Measure one score of novelty.

    Args:
        method: its name.
        known: scores of known images, (n,), at least one.
        unknown: scores of unknown images, (m,), at least one.
        right: whether each known image's label is right, (n,).
        recall: of known images, above 0 and at most 1.
        draws: resamples of the bootstrap.
        seed: of the bootstrap.
    """
    rng = Seeds(seed).child("measure/unknowns").numpy()
    pairs = [(rng.choice(known, len(known)), rng.choice(unknown, len(unknown))) for _ in range(draws)]
    return MethodScore(
        method,
        _interval(auroc(known, unknown), [auroc(*pair) for pair in pairs]),
        _interval(fpr_at_recall(known, unknown, recall), [fpr_at_recall(*pair, recall) for pair in pairs]),
        recall,
        tuple(accepted_at(known, unknown, right, coverage) for coverage in COVERAGES),
    )


def auroc(known: Floats, unknown: Floats) -> float:
    """Area under the ROC curve with unknown as the positives: Mann and Whitney's statistic, equal scores count half."""
    ranked = np.sort(known)
    below, upto = np.searchsorted(ranked, unknown, "left"), np.searchsorted(ranked, unknown, "right")
    return float((below + upto).mean() / 2 / len(known))


def fpr_at_recall(known: Floats, unknown: Floats, recall: float = 0.95) -> float:
    """Fraction of unknown images at or below the least threshold that at least `recall` of the known ones lie below."""
    return float((unknown <= _threshold(known, recall)).mean())


def accepted_at(known: Floats, unknown: Floats, right: Bools, coverage: float) -> AcceptedAt:
    """What accepting the least novel images comes to, at a fraction of the known ones."""
    threshold = _threshold(known, coverage)
    taken, foreign = known <= threshold, unknown <= threshold
    hits = int((right & taken).sum())
    return AcceptedAt(
        float(taken.mean()),
        hits / int(taken.sum() + foreign.sum()),
        hits / int(taken.sum()),
        float(foreign.mean()),
    )


def _threshold(known: Floats, fraction: float) -> float:
    at = max(0, int(np.ceil(fraction * len(known) - 1e-9)) - 1)
    return float(np.partition(known, at)[at])


def _interval(value: float, drawn: list[float]) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975]) if drawn else (value, value)
    return Interval(value, float(low), float(high))
