"""A bundle's scale of novelty, fitted on crops of the classes it knows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from leansort.core.files.bundle_decisions import LEAST_SPAN, RECALL, NoveltyMethod, NoveltyScale


def fit_novelty(
    scores: npt.NDArray[np.float64], method: NoveltyMethod, recall: float = RECALL, *, reject: bool = False
) -> NoveltyScale:
    """Choose the threshold that leaves a fraction of known crops known.

    Args:
        scores: finite, (n,), of crops that nothing was trained on.
        method: what they are scores by.
        recall: fraction of the crops that is to stay known, above 0 and at most 1.
        reject: whether what is unknown is not accepted.
    """
    zero = float(scores.min())
    least = max(LEAST_SPAN, 1e-6 * abs(zero))  # where all crops score the same
    span = max(least, novelty_threshold(scores, recall) - zero)
    return NoveltyScale(method=method, zero=zero, span=span, recall=recall, reject=reject)


def novelty_threshold(scores: npt.NDArray[np.float64], recall: float) -> float:
    """The threshold at or below which at least a fraction `recall` of the scores lies.

    It lies halfway to the next score, so that rounding moves nobody; behind the last one, as far as the one before is.

    Args:
        scores: of known crops, (n,), in any order.
        recall: above 0 and at most 1.
    """
    ranked = np.unique(scores)
    at = int(np.searchsorted(ranked, np.sort(scores)[max(0, int(np.ceil(recall * len(scores) - 1e-9)) - 1)]))
    ends = np.append(ranked, 2 * ranked[-1] - ranked[-2] if len(ranked) > 1 else ranked[-1])
    return float(ends[at : at + 2].mean())
