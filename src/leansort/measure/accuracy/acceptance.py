"""Which predictions are accepted, so that of these no more than a target are errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_ROUNDING = 1e-12  # of weighted sums


@dataclass(frozen=True)
class JudgedImages:
    """Images as acceptance sees them.

    Attributes:
        confidence: probability of the most probable class, (n,).
        wrong: whether to accept each is an error, (n,).
        known: whether each is known by its novelty, (n,).
    """

    confidence: Floats
    wrong: Bools
    known: Bools


@dataclass(frozen=True)
class Acceptance:
    """What is accepted.

    Attributes:
        threshold: least confidence.
        known_alone: whether only what is known is.
    """

    threshold: float
    known_alone: bool

    def of(self, images: JudgedImages) -> Bools:
        """Say of each image whether it is accepted, (n,)."""
        return (images.confidence >= self.threshold) & (images.known | (not self.known_alone))


def choose_acceptance(
    given: JudgedImages, foreign: JudgedImages | None, share: float, target_error: float
) -> Acceptance:
    """Accept most while at most `target_error` of what is accepted is an error.

    Where there are unknown images, what is not known by its novelty is rejected if more is accepted with it.

    Args:
        given: images of the classes.
        foreign: images of none of them; None where there are none.
        share: fraction of the latter among all images.
        target_error: 0-1.
    """
    if foreign is None:
        return Acceptance(_threshold(given.confidence, given.wrong, np.ones(len(given.wrong)), target_error), False)
    both = JudgedImages(*(np.concatenate(pair) for pair in zip(_columns(given), _columns(foreign), strict=True)))
    weight = np.repeat(
        [(1 - share) / len(given.wrong), share / len(foreign.wrong)], [len(given.wrong), len(foreign.wrong)]
    )
    best = Acceptance(_threshold(both.confidence, both.wrong, weight, target_error), False)
    if not (taken := both.known).any():
        return best
    other = Acceptance(_threshold(both.confidence[taken], both.wrong[taken], weight[taken], target_error), True)
    return other if other.of(given).sum() > best.of(given).sum() else best


def _columns(images: JudgedImages) -> tuple[Floats, Bools, Bools]:
    return images.confidence, images.wrong, images.known


def threshold_for(probabilities: Floats, truth: Ints, target_error: float) -> float:
    """The threshold that accepts most while at most `target_error` of the accepted labels are wrong.

    It lies halfway between the last confidence accepted and the first one rejected, so that rounding moves nobody;
    crops of equal confidence go together. 0 where all are accepted, 1 where no threshold will do.
    """
    wrong = probabilities.argmax(axis=1) != truth
    return _threshold(probabilities.max(axis=1), wrong, np.ones(len(truth)), target_error)


def _threshold(confidence: Floats, wrong: Bools, weight: Floats, target_error: float) -> float:
    """As `threshold_for`, of images with weights."""
    order = np.argsort(-confidence, kind="stable")
    errors = np.cumsum((wrong * weight)[order]) / np.cumsum(weight[order])
    last_of_its_kind = np.append(np.diff(confidence[order]) != 0, True)
    good = np.flatnonzero((errors <= target_error + _ROUNDING) & last_of_its_kind)
    if not len(good):
        return 1.0
    ranked = np.append(confidence[order], -confidence[order[-1]])  # behind the last one: halfway is 0
    return float(ranked[good[-1] : good[-1] + 2].mean())
