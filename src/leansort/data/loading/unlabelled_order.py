"""Which crops without labels come beside which labelled ones: one after the other, each as often as any other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from leansort.core.seeds import Seeds


@dataclass(frozen=True)
class UnlabelledOrder:
    """An endless row of crops without labels: pass after pass over all of them, each in an order of its own.

    Which part of the row a batch gets depends on its epoch and its place in it alone, so a resumed training goes on
    where the broken one stopped, and several processes agree.

    Attributes:
        count: crops without labels.
        ratio: crops without labels for each labelled one (the mu of FixMatch, arXiv:2001.07685).
        labelled: labelled crops of an epoch; the indices of the others begin there.
        seeds: of the training.
    """

    count: int
    ratio: float
    labelled: int
    seeds: Seeds

    def beside(self, start: int, end: int) -> int:
        """How many come beside the labelled crops from `start` to `end` of an epoch."""
        return self._place(end) - self._place(start)

    def keys(self, epoch: int, start: int, end: int) -> list[tuple[int, int]]:
        """(pass, index) of those beside the labelled crops from `start` to `end` of an epoch.

        A crop's n-th coming is of pass n, whatever the epoch: where `augment.views` counts ways of varying, it counts
        them by that.
        """
        first = epoch * self._place(self.labelled)
        places = range(first + self._place(start), first + self._place(end))
        return [self._key(*divmod(place, self.count)) for place in places]

    def _key(self, number: int, at: int) -> tuple[int, int]:
        return number, self.labelled + int(_order(self.seeds, number, self.count)[at])

    def _place(self, crops: int) -> int:
        return round(self.ratio * crops)


@lru_cache(maxsize=8)
def _order(seeds: Seeds, number: int, count: int) -> npt.NDArray[np.int64]:
    """The order of one pass."""
    return seeds.child(f"unlabelled/{number}").numpy().permutation(count)
