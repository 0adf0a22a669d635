"""Novelty by nearest neighbours among features of the train crops (arXiv:2204.06507), and several scores as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def neighbour_distance(train_nf: Floats, features_mf: Floats, k: int) -> Floats:
    """Mean cosine distance to the k nearest train crops.

    Args:
        train_nf: features of the train crops, (n, f).
        features_mf: of the images, (m, f).
        k: at least 1; of fewer crops all are taken.

    Returns:
        (m,), 0 to 2; the higher, the more novel.
    """
    likeness_mn = _unit(features_mf) @ _unit(train_nf).T
    return np.asarray(1 - np.sort(likeness_mn, axis=1)[:, -k:].mean(axis=1), np.float64)


def mean_standard_score(scores: Sequence[Floats], known_m: npt.NDArray[np.bool_]) -> Floats:
    """Mean of several scores, each less its mean and over its deviation on the known images.

    Args:
        scores: each (m,).
        known_m: which images set the scale.
    """
    parts = [(score - score[known_m].mean()) / max(1e-12, float(score[known_m].std())) for score in scores]
    return np.asarray(np.mean(parts, axis=0), np.float64)


def _unit(x_nf: Floats) -> Floats:
    return np.asarray(x_nf / np.maximum(np.linalg.norm(x_nf, axis=1, keepdims=True), 1e-12), np.float64)
