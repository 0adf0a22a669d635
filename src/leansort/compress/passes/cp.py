"""Split convolutions into 1x1, k x 1, 1 x k, 1x1 (CP, arXiv:1412.6553), and 1x1 ones and linear layers in two (SVD)."""

from __future__ import annotations

from leansort.compress.low_rank.layer_selection import FactorizationPass


class CpPass(FactorizationPass):
    """Splits convolutions by CP, 1x1 ones and linear layers by SVD."""

    method = "cp"
