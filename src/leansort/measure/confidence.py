"""Mean, spread and interval of a few equal measurements, such as one run with several seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class MeanInterval:
    """How values lie around their mean.

    Attributes:
        n: number of values.
        mean: of the values.
        std: their standard deviation, with n - 1; None for a single value.
        low: lower end of the 95 % t-interval of the mean; None for a single value.
        high: its upper end.
    """

    n: int
    mean: float
    std: float | None
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """Of differences: `helps` or `hurts` where the interval leaves out 0, else `not told apart`."""
        if self.low is not None and self.low > 0:
            return "helps"
        return "hurts" if self.high is not None and self.high < 0 else "not told apart"


def mean_interval(values: Sequence[float]) -> MeanInterval:
    """Mean, standard deviation and 95 % t-interval; `values` may not be empty."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return MeanInterval(len(values), mean, None, None, None)
    std = statistics.stdev(values)
    half = t95(len(values) - 1) * std / math.sqrt(len(values))
    return MeanInterval(len(values), mean, std, mean - half, mean + half)


def t95(degrees: int) -> float:
    """Two-sided 95 % point of Student's t, exact for whole degrees of freedom, without scipy."""
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < 0.95 else (low, middle)
    return math.tan(low) * math.sqrt(degrees)


def _within(theta: float, degrees: int) -> float:
    """Probability that |t| <= tan(theta) sqrt(degrees); Abramowitz and Stegun 26.7.3 and 26.7.4."""
    odd = degrees % 2
    term, total = (math.cos(theta) if odd else 1.0), 0.0
    for power in range(odd, degrees - 1, 2):
        total += term
        term *= (power + 1) / (power + 2) * math.cos(theta) ** 2
    inner = math.sin(theta) * total
    return 2 / math.pi * (theta + inner) if odd else inner
