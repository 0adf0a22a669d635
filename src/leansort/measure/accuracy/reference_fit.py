"""What val photos look like to a bundle, kept with it; `core.files.bundle_reference` says why in this form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from leansort.core.errors import UserError
from leansort.core.files.bundle_reference import (
    LEAST_PHOTOS,
    MOST_CLASSES,
    RESOLUTION,
    STATISTICS,
    BundleReference,
    StatisticName,
    StatisticReference,
)
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.runtime.drift.drift_values import most_probable, values_of
from leansort.runtime.drift.prior_shift import fit_weights
from leansort.runtime.predictor import Prediction

# Fractions of val below the edges of the bins: finer towards the ends, where drift shows first.
_TAIL = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
FRACTIONS = (*_TAIL, 0.5, *(1 - fraction for fraction in reversed(_TAIL)))


def fit_reference(
    predictions: Sequence[Prediction], truth: Sequence[int], labels: Sequence[str]
) -> BundleReference | None:
    """Keep what predictions for val photos look like.

    Args:
        predictions: for photos that nothing was trained on, with their `statistics`; those with an error are left out.
        truth: class index of each photo.
        labels: the classes.

    Returns:
        The reference; None where there are too few photos, or too many classes.

    Raises:
        UserError: predictions and truth differ in number.
    """
    if len(predictions) != len(truth):
        raise UserError(f"reference: got {len(predictions)} predictions and {len(truth)} labels; need as many")
    good = [(item, label) for item, label in zip(predictions, truth, strict=True) if not item.error]
    if len(good) < LEAST_PHOTOS or len(labels) > MOST_CLASSES:
        return None
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, ([label for _, label in good], [most_probable(item) for item, _ in good]), 1)
    chance = Seeds(_number_of(good))
    fitted = [
        _statistic(name, [value for item, _ in good if (value := values_of(item).get(name)) is not None], chance)
        for name in STATISTICS
    ]
    p_nc = np.array([item.probabilities for item, _ in good])
    return BundleReference(
        photos=len(good),
        statistics=tuple(item for item in fitted if item is not None),
        confusion=tuple(map(tuple, confusion.tolist())),
        weights=tuple(round(value, 6) for value in fit_weights(p_nc, confusion.astype(np.float64)).tolist()),
    )


def _number_of(good: Sequence[tuple[Prediction, int]]) -> int:
    """A number by which chance differs from one val split to the next: what is equal must not always fall alike."""
    values = [[label, *item.probabilities] for item, label in good]
    return int(atomic_io.sha256(np.asarray(values, np.float64).tobytes())[:8], 16)


def _statistic(name: StatisticName, values: Sequence[float], seeds: Seeds) -> StatisticReference | None:
    """None where too few photos have a value."""
    if len(values) < LEAST_PHOTOS:
        return None
    chance = seeds.child(f"reference/{name}").numpy()
    ordered = np.sort(np.asarray(values) + RESOLUTION[name] * chance.random(len(values)))  # so that none are equal
    edges, gaps = _bins(ordered)
    low, median, high = np.quantile(values, (0.025, 0.5, 0.975)).tolist()
    return StatisticReference(name=name, edges=edges, gaps=gaps, low=low, median=median, high=high)


def _bins(ordered: npt.NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Order statistics as edges, and the gaps between them: rank r is the upper end of gap r."""
    count = len(ordered)
    ranks = sorted({min(count, max(1, round(fraction * (count + 1)))) for fraction in FRACTIONS})
    while len({ordered[rank - 1] for rank in ranks}) < len(ranks):  # equal in floating point: as good as impossible
        ranks.pop()
    edges = tuple(float(ordered[rank - 1]) for rank in ranks)
    return edges, tuple(np.diff([0, *ranks, count + 1]).tolist())
