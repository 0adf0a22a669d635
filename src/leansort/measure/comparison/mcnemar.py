"""McNemar's exact test: are two classifiers equally often right, judged by the crops that one of them gets wrong?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from leansort.measure.accuracy.metrics import Ints


@dataclass(frozen=True)
class PairedCounts:
    """How two classifiers agree on the same crops, and McNemar's exact test of it.

    Attributes:
        both_right: crops that both classify correctly.
        only_a_right: crops that A alone classifies correctly.
        only_b_right: crops that B alone classifies correctly.
        both_wrong_alike: crops that both give the same wrong label.
        both_wrong_apart: crops that both give wrong labels, which differ.
        p_value: probability of a split of the discordant crops at least as uneven as this one, if each classifier were
            right on half of them; 1 where there is none. Two-sided, exact.
    """

    both_right: int
    only_a_right: int
    only_b_right: int
    both_wrong_alike: int
    both_wrong_apart: int
    p_value: float

    @property
    def disagreements(self) -> int:
        """Crops to which the two give different labels."""
        return self.only_a_right + self.only_b_right + self.both_wrong_apart


def paired_counts(truth: Ints, a: Ints, b: Ints) -> PairedCounts:
    """Count agreements and disagreements, and test whether one classifier is right more often.

    Args:
        truth: class index of each crop, shape (n,).
        a: class index that A predicts for each crop, shape (n,).
        b: class index that B predicts for each crop, shape (n,).
    """
    right_a, right_b, same = a == truth, b == truth, a == b
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    wrong = ~right_a & ~right_b
    return PairedCounts(
        both_right=int((right_a & right_b).sum()),
        only_a_right=only_a,
        only_b_right=only_b,
        both_wrong_alike=int((wrong & same).sum()),
        both_wrong_apart=int((wrong & ~same).sum()),
        p_value=mcnemar_exact(only_a, only_b),
    )


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided exact p-value of McNemar's test (1947): a binomial test with probability one half.

    Args:
        only_a: crops that A alone classifies correctly, at least 0.
        only_b: crops that B alone classifies correctly, at least 0.

    Returns:
        `min(1, 2 P(X <= min(only_a, only_b)))` with X binomial of `only_a + only_b` draws; 1 where there is no
        discordant crop.
    """
    n = only_a + only_b
    # In logarithms: the binomial coefficients of a few thousand draws are no floating-point numbers.
    logs = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(min(only_a, only_b) + 1)]
    tail = float(np.exp(np.asarray(logs) - n * math.log(2)).sum())
    return min(1.0, 2 * tail)
