"""How little an image resembles what a network was trained on, by its logits alone: the higher, the more novel.

Every score is a function of one image's logits and the bundle's temperature, in plain arithmetic: for the few classes
of one image numpy would take several times as long. A new score is a function here and a name in
`core.files.bundle_decisions`; `benchmarks.unknowns` measures all of them against each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from leansort.core.files.bundle_decisions import LOGIT_METHODS, LogitMethod, NoveltyScale

Score = Callable[[Sequence[float], float], float]
GAMMA = 0.1  # of the generalized entropy, as its authors set it


def energy(logits: Sequence[float], temperature: float) -> float:
    """Free energy of the logits, `-T log sum exp(logit / T)` (arXiv:2010.03759)."""
    most = max(logits)
    return -most - temperature * math.log(sum([math.exp((logit - most) / temperature) for logit in logits]))


def max_logit(logits: Sequence[float], temperature: float) -> float:
    """The largest logit, negated (arXiv:1911.11132); needs no temperature."""
    return -max(logits)


def max_softmax(logits: Sequence[float], temperature: float) -> float:
    """What the most probable class leaves to the others (arXiv:1610.02136)."""
    return 1.0 - max(_probabilities(logits, temperature))


def margin(logits: Sequence[float], temperature: float) -> float:
    """How far the largest logit lies above the next one, negated; needs no temperature."""
    second, first = sorted(logits)[-2:]
    return second - first


def entropy(logits: Sequence[float], temperature: float) -> float:
    """Entropy of the probabilities in nats."""
    return -sum([p * math.log(p) for p in _probabilities(logits, temperature) if p > 0])


def generalized_entropy(logits: Sequence[float], temperature: float) -> float:
    """Sum of `(p (1 - p)) ** 0.1` over the classes (GEN, Liu et al., CVPR 2023): small probabilities count more."""
    return sum([math.pow(p * (1.0 - p), GAMMA) for p in _probabilities(logits, temperature)])


SCORES: Mapping[str, Score] = {
    "energy": energy,
    "max_logit": max_logit,
    "max_softmax": max_softmax,
    "margin": margin,
    "entropy": entropy,
    "generalized_entropy": generalized_entropy,
}
assert tuple(SCORES) == LOGIT_METHODS


def novelty_scores(logits: npt.NDArray[Any], method: LogitMethod, temperature: float) -> npt.NDArray[np.float64]:
    """Scores of many images.

    Args:
        logits: finite, (n, classes).
        method: one of `SCORES`.
        temperature: of the bundle.

    Returns:
        float64 (n,); the higher, the more novel.
    """
    score = SCORES[method]
    return np.array([score(row, temperature) for row in logits.tolist()], np.float64)


def novelty_on(scale: NoveltyScale, score: float) -> float:
    """A score on a bundle's scale: 0 of the most familiar images, 1 where known ends, and more of what is unknown."""
    return max(0.0, (score - scale.zero) / scale.span)


def _probabilities(logits: Sequence[float], temperature: float) -> list[float]:
    most = max(logits)
    exponents = [math.exp((logit - most) / temperature) for logit in logits]
    whole = sum(exponents)
    return [exponent / whole for exponent in exponents]
