"""Split convolutions into 1x1, k x k, 1x1 (Tucker-2, arXiv:1511.06530), and 1x1 ones and linear layers in two (SVD)."""

from __future__ import annotations

from leansort.compress.low_rank.layer_selection import FactorizationPass


class TuckerPass(FactorizationPass):
    """Splits convolutions by Tucker-2, 1x1 ones and linear layers by SVD."""

    method = "tucker"
