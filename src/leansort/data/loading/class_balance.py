"""Weights of classes from their counts, for losses and samplers on data where some classes are rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Balance = Literal["none", "inverse", "sqrt", "effective"]
BETA = 0.999  # of the effective number; the paper's middle value


def class_weights(counts: Sequence[int], kind: Balance) -> npt.NDArray[np.float64]:
    """Weight of each class.

    Args:
        counts: training crops of each class.
        kind: `none` weighs all alike; `inverse` by 1/n, so that every class counts the same; `sqrt` by 1/sqrt(n), half
            way; `effective` by the inverse of the effective number (1 - 0.999^n) / 0.001 (Cui et al. 2019,
            arXiv:1901.05555).

    Returns:
        Weights whose mean over the crops is 1, so that the learning rate means the same; 0 for a class without crops.
    """
    n = np.asarray(counts, np.float64)
    safe = np.maximum(n, 1.0)
    raw = {
        "none": np.ones_like(safe),
        "inverse": 1.0 / safe,
        "sqrt": 1.0 / np.sqrt(safe),
        "effective": (1.0 - BETA) / (1.0 - BETA**safe),
    }[kind]
    raw = np.where(n > 0, raw, 0.0)
    total = float((raw * n).sum())
    return raw * (n.sum() / total) if total > 0 else raw
