"""Decisions by least expected cost: what a wrong bin costs, and what it costs to reject (Chow 1970, Elkan 2001).

A decision is one of the bins, which are the classes, or rejection. Its expected cost is the mean of what it costs for
each true class, weighted by the calibrated probabilities; where the costs tell of unknown things, these are one true
class more, whose probability follows from a stated share and from whether the image is `known`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with one image.

    Attributes:
        bin: index of the class whose bin costs least.
        accepted: whether it is sorted into that bin; else it is rejected.
        cost: expected cost of what is done.
    """

    bin: int
    accepted: bool
    cost: float


@dataclass(frozen=True)
class UnknownThings:
    """Things of none of the classes, as one true class more.

    Attributes:
        costs_d: of each bin and of rejection, behind the bins, for an unknown thing; (classes + 1,).
        share: fraction of unknown things among all, above 0 and below 1.
        taken_for_known: fraction of unknown things that are `known`, above 0 and at most 1.
        recall: fraction of things of the classes that are `known`, above 0 and at most 1.
    """

    costs_d: Floats
    share: float
    taken_for_known: float
    recall: float

    def probability(self, known: bool | None) -> float:
        """Probability that an image shows an unknown thing, by Bayes' rule.

        Args:
            known: whether it is known; None where that is not told, which leaves the share.
        """
        if known is None:
            return self.share
        of_unknown, of_class = (
            (self.taken_for_known, self.recall) if known else (1 - self.taken_for_known, 1 - self.recall)
        )
        both = self.share * of_unknown + (1 - self.share) * of_class
        return self.share * of_unknown / both if both else self.share


@dataclass(frozen=True)
class DecisionCosts:
    """What every decision costs.

    Attributes:
        labels: the classes.
        costs_cd: by true class (row) and decision (column): each bin, and behind the bins rejection; float64
            (classes, classes + 1), finite and not negative.
        accept_from_c: least probability with which each bin is accepted, whatever the costs say; (classes,).
        unknown: what is unknown; None where the costs tell nothing of it.
        rejects_unknown: whether what is not known is rejected, as a bundle may demand.
    """

    labels: tuple[str, ...]
    costs_cd: Floats
    accept_from_c: Floats
    unknown: UnknownThings | None = None
    rejects_unknown: bool = False

    def decide(self, probabilities: Sequence[float], known: bool | None = None) -> Decision:
        """Choose the decision with the least expected cost; of equal ones a bin goes before rejection.

        Args:
            probabilities: calibrated, of each class.
            known: whether the image is known; None where that is not told.
        """
        costs_d = self.expected(probabilities, known)
        best = int(costs_d[:-1].argmin())
        accepted = bool(costs_d[best] <= costs_d[-1]) and probabilities[best] >= self.accept_from_c[best]
        accepted = accepted and not (self.rejects_unknown and known is not True)
        return Decision(best, bool(accepted), float(costs_d[best if accepted else -1]))

    def expected(self, probabilities: Sequence[float], known: bool | None = None) -> Floats:
        """Return the expected cost of each decision, (classes + 1,); see `decide`."""
        costs_d: Floats = np.asarray(probabilities, np.float64) @ self.costs_cd
        if self.unknown is None:
            return costs_d
        share = self.unknown.probability(known)
        return (1 - share) * costs_d + share * self.unknown.costs_d
