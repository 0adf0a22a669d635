"""Evidence against "nothing has changed", as money that is won by betting on p-values (e-processes).

While p-values are uniform no bet gains on average, so the capital, 1 at the start, is a martingale, and the probability
that it ever reaches 1 / a is at most a (Ville 1939; Vovk 2021, "Testing randomness online", doi:10.1214/20-STS817).

A bet that is on from the first photo would have lost all by the time that a change comes. So a part of the capital is
put in at each photo, c / ((k + c - 1) (k + c)) at photo k, which over all time adds up to 1: a change at photo k costs
the logarithm of that part, and no more, however long nothing happened. This is a mixture of e-processes over the time
of the change (Shin, Ramdas and Rinaldo 2022, "E-detectors", arXiv:2203.03532), kept in one number.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_SPREAD = 100.0  # photos: changes within so many of the start cost about as much as one at the start
_CERTAIN = 1e100  # capital beyond which there is nothing to prove; what is above is given away
_LEAST_P = 1e-12
_POWERS = (0.2, 0.5)  # of p, towards either end (Vovk et al. 2003)
_SLOPES = (0.9, -0.9)


class DriftEvidence:
    """The capital of every bet on several sequences of p-values.

    Attributes:
        capital_rb: (rows, bets) what the parts that were put in have come to.
        photos_r: (rows,) p-values so far.
        gain_rb: (rows, bets) gain since the bet was last at its lowest, at least 1.
        since_rb: (rows, bets) the photo from which on it counts, the time of the change as this bet sees it.
    """

    def __init__(self, rows: int) -> None:
        bets = len(bets_on(np.array([0.5]))[0])
        self.capital_rb = np.zeros((rows, bets))
        self.photos_r = np.zeros(rows, np.int64)
        self.gain_rb = np.ones((rows, bets))
        self.since_rb = np.ones((rows, bets), np.int64)

    def update(self, p_r: Floats) -> None:
        """Bet on the next p-values; where there is none (NaN), nothing changes."""
        at = np.flatnonzero(np.isfinite(p_r))
        odds = bets_on(p_r[at])
        number = self.photos_r[at] + 1.0
        part = _SPREAD / ((number + _SPREAD - 1) * (number + _SPREAD))
        self.capital_rb[at] = np.minimum((self.capital_rb[at] + part[:, None]) * odds, _CERTAIN)
        fresh = self.gain_rb[at] <= 1.0
        self.since_rb[at] = np.where(fresh, (self.photos_r[at] + 1)[:, None], self.since_rb[at])
        self.gain_rb[at] = np.clip(self.gain_rb[at] * odds, 1.0, _CERTAIN)
        self.photos_r[at] += 1

    @property
    def evidence_r(self) -> Floats:
        """(rows,) mean capital of the bets of each row, what was not put in yet included."""
        return np.asarray(self.capital_rb.mean(axis=1) + _SPREAD / (_SPREAD + self.photos_r), np.float64)

    def since(self, row: int) -> int:
        """From which photo of a row on, counted from 1, things look changed: as its most successful bet sees it."""
        return int(self.since_rb[row, int(self.gain_rb[row].argmax())])


def bets_on(p_r: Floats) -> Floats:
    """What each bet pays for p-values; each has a mean of 1 over uniform ones, and is never negative.

    Args:
        p_r: (rows,), 0 to 1.

    Returns:
        (rows, bets): on low values, on high ones, on both ends, on the middle.
    """
    low = np.clip(p_r, _LEAST_P, 1.0)
    high = np.clip(1.0 - p_r, _LEAST_P, 1.0)
    outward = 2 * np.abs(2 * p_r - 1) - 1
    powers = [power * end ** (power - 1) for power in _POWERS for end in (low, high)]
    slopes = [1 + slope * (2 * p_r - 1) for slope in _SLOPES]
    ends = [1 + slope * outward for slope in _SLOPES]
    return np.stack([*powers, *slopes, *ends], axis=-1)
