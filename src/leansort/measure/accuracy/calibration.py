"""Confidences that mean something: a temperature, the calibration error, and a threshold of acceptance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leansort.core.files.bundle_decisions import DEFAULT_METHOD, DISTANCE, NoveltyMethod, NoveltyScale
from leansort.measure.accuracy.acceptance import Acceptance, Bools, JudgedImages, choose_acceptance
from leansort.measure.accuracy.novelty_fit import fit_novelty
from leansort.runtime.decisions.novelty import novelty_scores
from leansort.runtime.predictor import softmax

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
BINS = 15
LARGEST = 20.0  # temperature; the smallest is one over it
POINTS = 100  # of the curve that is kept


@dataclass(frozen=True)
class UnknownLogits:
    """What a network says of images of none of its classes.

    Attributes:
        logits: (m, classes), m at least 1.
        distances: (m,), where the graph gives them.
        share: fraction of unknown images among all that are to come; None: as many as there are.
    """

    logits: Floats
    distances: Floats | None = None
    share: float | None = None

    def share_beside(self, known: int) -> float:
        """Return the fraction of unknown images among all, where there are so many known ones."""
        return len(self.logits) / (known + len(self.logits)) if self.share is None else self.share


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
        error: fraction of wrong labels among them; where there are unknown images, each of them that is accepted is an
            error, too.
        curve: (coverage, error) of accepting only the surest, from few to all.
        novelty: how novel images are told; None of results from before it was.
        known: fraction of crops that are known by it.
        unknown: number of unknown images that count as errors where they are accepted.
        unknown_share: what fraction of all images they stand for; None where there are none.
        unknown_accepted: fraction of them that is accepted; None where there are none.
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
    unknown: int = 0
    unknown_share: float | None = None
    unknown_accepted: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self) | {"novelty": self.novelty and self.novelty.model_dump(mode="json")}


def calibrate(
    logits: Floats,
    truth: Ints,
    target_error: float | None = None,
    distances: Floats | None = None,
    unknown: UnknownLogits | None = None,
) -> Calibration:
    """Fit a temperature, a scale of novelty and, where an error rate is wanted, a threshold.

    Args:
        logits: (n, classes), of crops that nothing was trained on.
        truth: n class indices.
        target_error: largest fraction of errors among those accepted, 0-1: wrong labels, and unknown images.
        distances: (n,), where the graph gives them; novelty is told by them, else by the logits.
        unknown: images of none of the classes. Then what is not known is rejected, too, if more crops are accepted
            with it at the target.

    Returns:
        The calibration. Where even the surest crop is wrong, nothing is accepted.
    """
    temperature = fit_temperature(logits, truth)
    exact = np.asarray(logits, np.float64)
    before, after = softmax(exact), softmax(exact / temperature)
    method: NoveltyMethod = DEFAULT_METHOD if distances is None else DISTANCE
    scale = fit_novelty(_novelty(exact, distances, temperature), method)
    top, wrong = after.max(axis=1), after.argmax(axis=1) != truth
    known = _is_known(scale, _novelty(exact, distances, temperature))
    given = JudgedImages(top, wrong, known)
    foreign = None if unknown is None else _judge_unknown(unknown, scale, temperature)
    share = 0.0 if unknown is None else unknown.share_beside(len(truth))
    found = Acceptance(0.0, False) if target_error is None else choose_acceptance(given, foreign, share, target_error)
    scale = scale.model_copy(update={"reject": found.known_alone})
    accepted = found.of(given)
    passed = 0.0 if foreign is None else float(found.of(foreign).mean())
    errors = (1 - share) * float((wrong & accepted).mean()) + share * passed
    everything = (1 - share) * float(accepted.mean()) + share * passed
    return Calibration(
        crops=len(truth),
        temperature=temperature,
        ece_before=expected_calibration_error(before, truth),
        ece_after=expected_calibration_error(after, truth),
        target_error=target_error,
        reject_below=found.threshold,
        coverage=float(accepted.mean()),
        error=errors / everything if everything else 0.0,
        curve=risk_coverage(after, truth),
        novelty=scale,
        known=float(known.mean()),
        unknown=0 if foreign is None else len(foreign.confidence),
        unknown_share=None if foreign is None else share,
        unknown_accepted=None if foreign is None else passed,
    )


def _judge_unknown(unknown: UnknownLogits, scale: NoveltyScale, temperature: float) -> JudgedImages:
    exact = np.asarray(unknown.logits, np.float64)
    known = _is_known(scale, _novelty(exact, unknown.distances, temperature))
    return JudgedImages(softmax(exact / temperature).max(axis=1), np.ones(len(exact), np.bool_), known)


def _novelty(logits: Floats, distances: Floats | None, temperature: float) -> npt.NDArray[np.float64]:
    scores = novelty_scores(logits, DEFAULT_METHOD, temperature) if distances is None else distances
    return np.asarray(scores, np.float64)


def _is_known(scale: NoveltyScale, scores: npt.NDArray[np.float64]) -> Bools:
    return scores - scale.zero <= scale.span


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


def risk_coverage(probabilities: Floats, truth: Ints, points: int = POINTS) -> list[tuple[float, float]]:
    """(fraction accepted, fraction of wrong labels among them) of accepting the surest first (arXiv:1705.08500)."""
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    wrong = np.cumsum((probabilities.argmax(axis=1) != truth)[order])
    at = np.unique(np.linspace(1, len(order), min(points, len(order))).round().astype(int))
    return [(float(n / len(order)), float(wrong[n - 1] / n)) for n in at]
