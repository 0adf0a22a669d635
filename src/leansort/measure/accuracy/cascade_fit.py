"""From which confidence on a cascade takes its small graph's answer: fitted on val, and judged by cross-fitting.

The threshold that lets the small graph answer most is chosen among all, on the very photos that judge it, so what it
comes to there is flattered. Hence it is fitted anew without each tenth of the photos, which then are decided by it: the
macro-F1 of all these decisions tells what a threshold that is chosen in this way comes to on photos it has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leansort.core.errors import UserError
from leansort.core.files.bundle_cascade import CascadeFit, CascadeSettings, Decode
from leansort.core.seeds import Seeds
from leansort.measure.accuracy.metrics import macro_f1_present, paired_difference
from leansort.runtime.predictor import Prediction

FOLDS = 10
LEAST_PHOTOS = 50  # that a threshold is fitted on
NEVER = 2.0  # a threshold that no probability reaches
_ROUNDING = 1e-12

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class NoThresholdError(UserError):
    """The two graphs may be a cascade, but these photos give it no threshold."""


@dataclass(frozen=True)
class StageAnswers:
    """What both graphs of a cascade say of the same photos.

    Attributes:
        confidence: of the small graph, (n,); -1 where its answer is never taken, as it does not know the photo.
        first: class index that the small graph predicts, (n,).
        second: that the large graph predicts, (n,).
        truth: the right ones, (n,).
        classes: how many there are.
    """

    confidence: Floats
    first: Ints
    second: Ints
    truth: Ints
    classes: int

    def at(self, index: Ints) -> StageAnswers:
        """The same of some photos."""
        return StageAnswers(
            self.confidence[index], self.first[index], self.second[index], self.truth[index], self.classes
        )

    def decided(self, threshold: float | Floats) -> Ints:
        """Class indices that a cascade with this threshold, or one for each photo, predicts; (n,)."""
        return np.where(self.taken(threshold), self.first, self.second)

    def taken(self, threshold: float | Floats) -> npt.NDArray[np.bool_]:
        """Which photos the small graph answers, (n,)."""
        return (self.confidence >= threshold) & (self.confidence >= 0)


def stage_answers(
    first: Sequence[Prediction], second: Sequence[Prediction], truth: Sequence[int], classes: int
) -> StageAnswers:
    """Take down predictions of both graphs, none of which may be an error."""

    def best(predictions: Sequence[Prediction]) -> Ints:
        return np.array([np.argmax(item.probabilities) for item in predictions], np.int64)

    confidence = [-1.0 if item.known is False else max(item.probabilities) for item in first]
    return StageAnswers(
        np.array(confidence, np.float64), best(first), best(second), np.asarray(truth, np.int64), classes
    )


def fit_cascade(answers: StageAnswers, max_f1_drop: float, decode: Decode) -> CascadeSettings:
    """Choose the threshold that lets the small graph answer most, and estimate what it comes to.

    Args:
        answers: on photos that nothing was trained on.
        max_f1_drop: how much of the large graph's macro-F1 may be lost, 0 to 1.
        decode: as the cascade decodes.

    Raises:
        NoThresholdError: there are too few photos, or no threshold keeps the macro-F1.
    """
    photos = len(answers.truth)
    if photos < LEAST_PHOTOS:
        raise NoThresholdError(
            f"cascade: got {photos} photos that both graphs can read, a threshold needs {LEAST_PHOTOS}"
        )
    threshold = choose_threshold(answers, max_f1_drop)
    if threshold >= NEVER:
        raise NoThresholdError(
            f"cascade: no threshold loses at most {max_f1_drop:g} macro-F1: the small graph is wrong even where it is "
            "surest; allow a larger drop, or take a better small bundle"
        )
    return CascadeSettings(
        threshold=threshold,
        decode=decode,
        share=float(answers.taken(threshold).mean()),
        fit=_estimate(answers, threshold, max_f1_drop),
    )


def choose_threshold(answers: StageAnswers, max_f1_drop: float) -> float:
    """Return the threshold with which the small graph answers most photos and the macro-F1 is kept.

    It lies halfway between the last confidence that is taken and the first that is not; photos of equal confidence go
    together. `NEVER` where no threshold keeps it.
    """
    order = np.argsort(-answers.confidence, kind="stable")
    order = order[answers.confidence[order] >= 0]
    if not len(order):
        return NEVER
    scores = _scores(answers, order)
    ranked = answers.confidence[order]
    last_of_its_kind = np.append(np.diff(ranked) != 0, True)
    good = np.flatnonzero((scores[1:] >= scores[0] - max_f1_drop - _ROUNDING) & last_of_its_kind)
    if not len(good):
        return NEVER
    following = np.append(ranked, -ranked[-1])  # behind the last one: halfway is 0
    return float(following[good[-1] : good[-1] + 2].mean())


def _scores(answers: StageAnswers, order: Ints) -> Floats:
    """Macro-F1 where the small graph answers the first k photos of an order, for each k from 0 on; (photos + 1,)."""
    one = np.eye(answers.classes, dtype=np.int64)
    right = one[answers.truth]
    cells = [one[labels] for labels in (answers.second, answers.first)]
    hits, guessed = ([(cell * factor) for cell in cells] for factor in (right, 1))
    taken = [np.cumsum((new - old)[order], axis=0) for old, new in (hits, guessed)]
    hits_kc, guessed_kc = (
        np.concatenate([start[None], start + change])
        for start, change in zip((hits[0].sum(axis=0), guessed[0].sum(axis=0)), taken, strict=True)
    )
    shown_c = right.sum(axis=0)
    f1_kc = 2 * hits_kc / np.maximum(guessed_kc + shown_c, 1)
    return np.asarray(f1_kc[:, shown_c > 0].mean(axis=1), np.float64)


def _estimate(answers: StageAnswers, threshold: float, max_f1_drop: float) -> CascadeFit:
    unseen = _unseen_thresholds(answers, max_f1_drop)
    decided = answers.decided(unseen)
    truth, classes = answers.truth, answers.classes
    gap = paired_difference(truth, answers.second, decided, classes)
    return CascadeFit(
        photos=len(truth),
        max_f1_drop=max_f1_drop,
        second_macro_f1=macro_f1_present(truth, answers.second, classes),
        first_macro_f1=macro_f1_present(truth, answers.first, classes),
        macro_f1=macro_f1_present(truth, answers.decided(threshold), classes),
        crossfitted_macro_f1=macro_f1_present(truth, decided, classes),
        difference_low=gap.low,
        difference_high=gap.high,
        crossfitted_share=float(answers.taken(unseen).mean()),
    )


def _unseen_thresholds(answers: StageAnswers, max_f1_drop: float) -> Floats:
    """For each photo the threshold that was chosen without its fold; folds have all classes as evenly as they go."""
    chance = Seeds(0).child("measure/cascade").numpy()
    shuffled = chance.permutation(len(answers.truth))
    fold = np.empty(len(shuffled), np.int64)
    fold[shuffled[np.argsort(answers.truth[shuffled], kind="stable")]] = np.arange(len(shuffled)) % FOLDS
    result = np.empty(len(shuffled), np.float64)
    for number in range(FOLDS):
        result[fold == number] = choose_threshold(answers.at(np.flatnonzero(fold != number)), max_f1_drop)
    return result
