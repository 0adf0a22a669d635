"""Conformal p-values of photos, one after the other, against val and all photos before: exact, and in bounded memory.

Where photos of the field and of val come from one distribution, the p-values of a statistic are independent and
uniform, whatever that distribution is (Vovk, Nouretdinov and Gammerman 2003, "Testing exchangeability on-line").

A photo's rank is told by bins whose edges are order statistics of val. Of n values that are drawn from a continuous
distribution, the probability of the next one to fall between two of them that are g gaps apart is g / (n + 1), on
average over the draws; and with m further values known by their bins alone, c of them in this one, it is
(g + c) / (n + 1 + m), as the probabilities of the gaps are Dirichlet-distributed. So counts are all that has to be
kept, and the p-value, placed by chance within its bin, is exactly uniform given all that went before.

Classes are known beforehand, and need no edges: for each class the p-value is that of "it is of this class".
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from leansort.core.files.bundle_reference import RESOLUTION, BundleReference

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class ConformalRanks:
    """Counts of all photos so far, and the p-values of the next one.

    Attributes:
        counts_sb: (statistics, bins) weight of each bin: gaps of val, and photos since. Unused bins are 0.
        counts_c: (classes,) labels given to val photos and to photos since.
        photos: number of photos that were ranked.
    """

    def __init__(self, reference: BundleReference, seed: int) -> None:
        self._statistics = reference.statistics
        self._units = np.array([RESOLUTION[item.name] for item in reference.statistics])
        self._edges = [np.asarray(item.edges) for item in reference.statistics]
        bins = max(len(item.gaps) for item in reference.statistics)
        self.counts_sb = np.zeros((len(self._edges), bins), np.int64)
        for row, item in zip(self.counts_sb, reference.statistics, strict=True):
            row[: len(item.gaps)] = item.gaps
        self.counts_c = np.asarray(reference.confusion, np.int64).sum(axis=0)
        self._seed = seed
        self.photos = 0

    def rank(self, values_s: Floats, label: int) -> Floats:
        """P-values of the next photo, which is counted from now on.

        Args:
            values_s: (statistics,), in the order of the reference; NaN where there is none.
            label: index of the class that it was given.

        Returns:
            (statistics + classes,), 0 to 1: low where a value is low, and where the class is this one; NaN where there
            is no value.
        """
        at_s, chance = np.arange(len(self._edges)), np.random.default_rng((self._seed, self.photos))
        known_s = np.isfinite(values_s)
        spread_s = np.where(known_s, values_s, 0.0) + self._units * chance.random(len(at_s))
        pairs = zip(self._edges, spread_s, strict=True)
        bin_s = np.array([int(edges.searchsorted(value)) for edges, value in pairs], np.int64)
        below_s, own_s = self.counts_sb.cumsum(axis=1)[at_s, bin_s], self.counts_sb[at_s, bin_s]
        p_s = (below_s - own_s * chance.random(len(at_s))) / self.counts_sb.sum(axis=1)
        self.counts_sb[at_s[known_s], bin_s[known_s]] += 1
        self.counts_c[label] += 1  # itself included: so it is one of the bag that all orders of are equally likely
        self.photos += 1
        total, own_c = int(self.counts_c.sum()), np.arange(len(self.counts_c)) == label
        chance_c = chance.random(len(self.counts_c))
        p_c = np.where(own_c, self.counts_c * chance_c, self.counts_c + (total - self.counts_c) * chance_c) / total
        return np.concatenate([np.where(known_s, p_s, np.nan), p_c])
