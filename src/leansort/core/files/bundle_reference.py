"""What val photos look like to a bundle, so that drift in the field is told without labels.

Fitted where a bundle is calibrated (`measure.accuracy.reference_fit`), used where it runs (`runtime.drift`). Of each
statistic a bundle keeps no more than some of val's order statistics, and how many gaps between order statistics lie in
each bin: that is all that an exact test needs (`runtime.drift.conformal_ranks`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from leansort.core.strict_model import StrictModel

StatisticName = Literal["confidence", "novelty", "brightness", "sharpness", "warmth", "tint", "size"]
STATISTICS: tuple[StatisticName, ...] = get_args(StatisticName)
# What a value is rounded to where it is written. Values that are equal by rounding alone are told apart by chance.
RESOLUTION: dict[StatisticName, float] = dict.fromkeys(STATISTICS, 1e-3) | {
    "confidence": 1e-6,
    "novelty": 1e-6,
    "size": 1.0,
}
MOST_CLASSES = 200  # of more, the confusion matrix would be larger than many a network
LEAST_PHOTOS = 10  # of val: of fewer nothing is kept, for nothing could be told by them
_BINS = 64
_MOST = 1e12
_COUNT = 10**9
Count = Annotated[int, Field(ge=0, le=_COUNT)]
Value = Annotated[float, Field(ge=-_MOST, le=_MOST)]


class StatisticReference(StrictModel):
    """The distribution of one statistic over val photos.

    Attributes:
        name: of the statistic.
        edges: some of the order statistics, rising; bin j ends at edge j, the last bin is open.
        gaps: of each bin, how many of the n + 1 gaps between the n order statistics lie in it; at least 1.
        low: 2.5 % of the photos are below.
        median: half of the photos are below.
        high: 2.5 % of the photos are above.
    """

    name: StatisticName
    edges: tuple[Value, ...] = Field(min_length=1, max_length=_BINS)
    gaps: tuple[Count, ...] = Field(min_length=2, max_length=_BINS + 1)
    low: Value
    median: Value
    high: Value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(self.gaps) != len(self.edges) + 1 or 0 in self.gaps:
            raise ValueError("need one count of gaps more than edges, each at least 1")
        if any(second <= first for first, second in pairwise(self.edges)):
            raise ValueError("edges must rise")
        return self


class BundleReference(StrictModel):
    """What val photos look like to a bundle.

    Attributes:
        photos: number of val photos.
        statistics: of the photos and of the bundle's predictions; those that could not be had are left out.
        confusion: val photos by class (row) and label given by the bundle (column), in the order of the labels.
        weights: of the classes; probabilities that are multiplied by them have val's class shares as their means over
            val, see `runtime.drift.prior_shift`.
    """

    photos: int = Field(ge=LEAST_PHOTOS, le=_COUNT)
    statistics: tuple[StatisticReference, ...] = Field(min_length=1, max_length=len(STATISTICS))
    confusion: tuple[tuple[Count, ...], ...] = Field(min_length=1, max_length=MOST_CLASSES)
    weights: tuple[Annotated[float, Field(ge=0.0, le=1.0)], ...] = Field(min_length=1, max_length=MOST_CLASSES)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        classes = len(self.confusion)
        if any(len(row) != classes for row in self.confusion) or len(self.weights) != classes:
            raise ValueError("confusion and weights must be of the same classes")
        if len({item.name for item in self.statistics}) != len(self.statistics):
            raise ValueError("a statistic is there twice")
        return self

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.confusion)
