"""Confidences that mean something: a temperature, the calibration error, and a threshold of acceptance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leansort.core.files.bundle_decisions import DEFAULT_METHOD, DISTANCE, NoveltyScale
from leansort.measure.accuracy.novelty_fit import fit_novelty
from leansort.runtime.decisions.novelty import novelty_scores
from leansort.runtime.predictor import softmax

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
BINS = 15
LARGEST = 20.0  # temperature; the smallest is one over it
POINTS = 100  # of the curve that is kept


@dataclass(frozen=True)
class Calibration:
    """What was fitted on val, and what it came to there.

    Attributes:
        crops: number of them.
        temperature: that logits are divided by (arXiv:1706.04599).
        ece_before: expected calibration error at temperature 1.
        ece_after: at the fitted one.
        target_error: fraction of wrong labels among accepted ones that was asked for; None where nothing is rejected.
        reject_below: least probability that is accepted.
        coverage: fraction of crops accepted.
        error: fraction of wrong labels among them.
        curve: (coverage, error) of accepting only the surest, from few to all.
        novelty: how novel images are told; None of results from before it was.
        known: fraction of crops that are known by it.
    """

    crops: int
    temperature: float
    ece_before: float
    ece_after: float
    target_error: float | None
    reject_below: float
    coverage: float
    error: float
    curve: Sequence[tuple[float, float]]
    novelty: NoveltyScale | None = None
    known: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self) | {"novelty": self.novelty and self.novelty.model_dump(mode="json")}


def calibrate(
    logits: Floats, truth: Ints, target_error: float | None = None, distances: Floats | None = None
) -> Calibration:
    """Fit a temperature, a scale of novelty and, where an error rate is wanted, a threshold.

    Args:
        logits: (n, classes), of crops that nothing was trained on.
        truth: n class indices.
        target_error: largest fraction of wrong labels among those accepted, 0-1.
        distances: (n,), where the graph gives them; novelty is told by them, else by the logits.

    Returns:
        The calibration. Where even the surest crop is wrong, nothing is accepted.
    """
    temperature = fit_temperature(logits, truth)
    exact = np.asarray(logits, np.float64)
    before, after = softmax(exact), softmax(exact / temperature)
    threshold = 0.0 if target_error is None else threshold_for(after, truth, target_error)
    scores = novelty_scores(exact, DEFAULT_METHOD, temperature) if distances is None else distances
    scale = fit_novelty(np.asarray(scores, np.float64), DEFAULT_METHOD if distances is None else DISTANCE)
    accepted = after.max(axis=1) >= threshold
    wrong = after.argmax(axis=1) != truth
    return Calibration(
        crops=len(truth),
        temperature=temperature,
        ece_before=expected_calibration_error(before, truth),
        ece_after=expected_calibration_error(after, truth),
        target_error=target_error,
        reject_below=threshold,
        coverage=float(accepted.mean()),
        error=float(wrong[accepted].mean()) if accepted.any() else 0.0,
        curve=risk_coverage(after, truth),
        novelty=scale,
        known=float((scores - scale.zero <= scale.span).mean()),
    )


def fit_temperature(logits: Floats, truth: Ints) -> float:
    """The temperature with the least negative log-likelihood, by golden section on its logarithm.

    The likelihood is convex in one over the temperature, hence has one minimum in the logarithm too.
    """
    low, high = -np.log(LARGEST), np.log(LARGEST)
    golden = (np.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        a, b = high - golden * (high - low), low + golden * (high - low)
        if _loss(logits, truth, float(np.exp(a))) < _loss(logits, truth, float(np.exp(b))):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def _loss(logits: Floats, truth: Ints, temperature: float) -> float:
    scaled = np.asarray(logits, np.float64) / temperature
    top = scaled.max(axis=1)
    total = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
    return float((total - scaled[np.arange(len(truth)), truth]).mean())


def expected_calibration_error(probabilities: Floats, truth: Ints, bins: int = BINS) -> float:
    """Mean distance of confidence and accuracy over equally wide bins, weighted by their crops (arXiv:1706.04599).

    Args:
        probabilities: (n, classes).
        truth: n class indices.
        bins: number of bins.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(which, minlength=bins)
    gaps = np.bincount(which, confidence, bins) - np.bincount(which, right, bins)
    return float(np.abs(gaps).sum() / counts.sum())


def threshold_for(probabilities: Floats, truth: Ints, target_error: float) -> float:
    """The threshold that accepts most while at most `target_error` of the accepted labels are wrong.

    It lies halfway between the last confidence accepted and the first one rejected, so that rounding moves nobody;
    crops of equal confidence go together. 0 where all are accepted, 1 where no threshold will do.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    errors = np.cumsum((probabilities.argmax(axis=1) != truth)[order]) / np.arange(1, len(order) + 1)
    last_of_its_kind = np.append(np.diff(confidence[order]) != 0, True)
    good = np.flatnonzero((errors <= target_error) & last_of_its_kind)
    if not len(good):
        return 1.0
    ranked = np.append(confidence[order], -confidence[order[-1]])  # behind the last one: halfway is 0
    return float(ranked[good[-1] : good[-1] + 2].mean())


def risk_coverage(probabilities: Floats, truth: Ints, points: int = POINTS) -> list[tuple[float, float]]:
    """(fraction accepted, fraction of wrong labels among them) of accepting the surest first (arXiv:1705.08500)."""
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    wrong = np.cumsum((probabilities.argmax(axis=1) != truth)[order])
    at = np.unique(np.linspace(1, len(order), min(points, len(order))).round().astype(int))
    return [(float(n / len(order)), float(wrong[n - 1] / n)) for n in at]
