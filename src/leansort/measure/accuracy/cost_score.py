"""What decisions by least expected cost come to on labelled images, beside deciding by probability alone.

The costs that a decision turned out to have are told with percentile bootstraps over the images (Efron 1979). Where
unknown images are given, known and unknown ones are drawn each from their own kind, and weighted by the stated share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from leansort.core.seeds import Seeds
from leansort.measure.accuracy.metrics import Interval, macro_f1_present
from leansort.runtime.decisions.costs import DecisionCosts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEAST_COST, MOST_PROBABLE, BEST_THRESHOLD = "least expected cost", "most probable class", "best probability threshold"
NOTHING = 2.0  # a threshold that no probability reaches


@dataclass(frozen=True)
class DecidedImages:
    """Images that decisions are made for.

    Attributes:
        probabilities: calibrated, (n, classes).
        known: whether each is known, n; None where that is not told.
        truth: class index of each, (n,), or the number of classes for an unknown one.
    """

    probabilities: Floats
    known: tuple[bool | None, ...]
    truth: Ints


@dataclass(frozen=True)
class RuleScore:
    """What one way to decide comes to.

    Attributes:
        rule: its name.
        threshold: least probability that it accepts, where that is how it decides.
        cost: mean cost of an image, by its true class; over unknown images too where there are any, by their share.
        expected: the mean that the probabilities let expect.
        coverage: fraction of the known images that it accepts.
        accuracy: fraction of right labels among these; None where it accepts none.
        macro_f1: of these, over the classes that they show; None where it accepts none.
        unknown_accepted: fraction of the unknown images that it accepts; None where there are none.
        saved: what deciding by least expected cost saves an image against it, paired; None of that itself.
    """

    rule: str
    threshold: float | None
    cost: Interval
    expected: float
    coverage: float
    accuracy: float | None
    macro_f1: float | None
    unknown_accepted: float | None = None
    saved: Interval | None = None


@dataclass(frozen=True)
class CostScore:
    """What a bundle's decisions cost.

    Attributes:
        file: with the costs.
        known: number of known images.
        unknown: number of unknown ones.
        share: of unknown images in the means; 0 where there are none.
        rules: by least expected cost first, then by probability alone.
        notes: what the figures leave out, a line each.
    """

    file: str
    known: int
    unknown: int
    share: float
    rules: tuple[RuleScore, ...]
    notes: tuple[str, ...] = ()


def score_rules(
    costs: DecisionCosts, known: DecidedImages, unknown: DecidedImages | None = None, *, draws: int = 1000
) -> tuple[RuleScore, ...]:
    """Compare decisions by least cost, by the most probable class, and by the best of all probability thresholds.

    The threshold is the one with the least mean cost on these very images: no other single one does better on them.

    Args:
        costs: what decisions cost; where it tells of unknown things, `unknown` counts with their share.
        known: images of the classes, at least one.
        unknown: images of none of them, at least one.
        draws: resamples of the bootstrap.
    """
    parts = [known] if unknown is None or costs.unknown is None else [known, unknown]
    best = best_threshold(costs, parts)
    taken = {
        LEAST_COST: [_least_cost(costs, part) for part in parts],
        MOST_PROBABLE: [_by_probability(part, 0.0) for part in parts],
        BEST_THRESHOLD: [_by_probability(part, best) for part in parts],
    }
    table_td, weights, rows = _table(costs), _weights(costs, parts), list[RuleScore]()
    ours = _paid(table_td, parts, taken[LEAST_COST])
    for name, decisions in taken.items():
        paid = _paid(table_td, parts, decisions)
        saved = [theirs_n - ours_n for theirs_n, ours_n in zip(paid, ours, strict=True)]
        row = _describe(costs, name, parts, decisions, _mean(paid, weights, draws))
        if name != LEAST_COST:
            row = replace(row, saved=_mean(saved, weights, draws), threshold=best if name == BEST_THRESHOLD else None)
        rows.append(row)
    return tuple(rows)


def best_threshold(costs: DecisionCosts, parts: Sequence[DecidedImages]) -> float:
    """Return the least probability to accept that has the least mean cost; of equal ones the one that accepts most.

    It lies halfway between the images that it accepts and those that it rejects.

    Args:
        costs: what decisions cost.
        parts: known images, and unknown ones where they count.

    Returns:
        0 where all images are accepted, 2 where none is.
    """
    table_td, gains, tops = _table(costs), list[Floats](), list[Floats]()
    for part, weight in zip(parts, _weights(costs, parts), strict=True):
        row_nd, best_n = table_td[part.truth], part.probabilities.argmax(1)
        gains.append(weight / len(best_n) * (row_nd[:, -1] - row_nd[np.arange(len(best_n)), best_n]))
        tops.append(part.probabilities.max(1))
    values_k, at_n = np.unique(-np.concatenate(tops), return_inverse=True)  # the surest first
    saved_k = np.append(0.0, np.cumsum(np.bincount(at_n, np.concatenate(gains))))  # by accepting the first so many
    accepted = int(np.flatnonzero(saved_k >= saved_k.max() - 1e-12)[-1])
    if accepted in (0, len(values_k)):
        return 0.0 if accepted else NOTHING
    return float(-values_k[accepted - 1 : accepted + 1].mean())


def _least_cost(costs: DecisionCosts, part: DecidedImages) -> Ints:
    """The decision for each image; the number of classes is rejection."""
    made = [costs.decide(row, known) for row, known in zip(part.probabilities.tolist(), part.known, strict=True)]
    return np.array([item.bin if item.accepted else len(costs.labels) for item in made], np.int64)


def _by_probability(part: DecidedImages, threshold: float) -> Ints:
    taken = part.probabilities.max(1) >= threshold
    return np.asarray(np.where(taken, part.probabilities.argmax(1), part.probabilities.shape[1]), np.int64)


def _table(costs: DecisionCosts) -> Floats:
    """Costs by what is true, unknown things behind the classes, and decision; shape (classes, or one more, d)."""
    return np.vstack([costs.costs_cd, costs.unknown.costs_d]) if costs.unknown else costs.costs_cd


def _weights(costs: DecisionCosts, parts: Sequence[DecidedImages]) -> list[float]:
    share = costs.unknown.share if costs.unknown and len(parts) > 1 else 0.0
    return [1 - share, share][: len(parts)]


def _paid(table_td: Floats, parts: Sequence[DecidedImages], decisions: Sequence[Ints]) -> list[Floats]:
    """What each image cost, by its true class."""
    return [table_td[part.truth, row] for part, row in zip(parts, decisions, strict=True)]


def _describe(
    costs: DecisionCosts, name: str, parts: Sequence[DecidedImages], decisions: Sequence[Ints], cost: Interval
) -> RuleScore:
    classes, truth, made = len(costs.labels), parts[0].truth, decisions[0]
    accepted = made < classes
    expected = [_expected(costs, part, row).mean() for part, row in zip(parts, decisions, strict=True)]
    return RuleScore(
        name,
        None,
        cost,
        float(np.dot(_weights(costs, parts), expected)),
        float(accepted.mean()),
        float((made == truth)[accepted].mean()) if accepted.any() else None,
        macro_f1_present(truth[accepted], made[accepted], classes) if accepted.any() else None,
        float((decisions[1] < classes).mean()) if len(decisions) > 1 else None,
    )


def _expected(costs: DecisionCosts, part: DecidedImages, decisions: Ints) -> Floats:
    rows = [costs.expected(row, known) for row, known in zip(part.probabilities.tolist(), part.known, strict=True)]
    return np.stack(rows)[np.arange(len(decisions)), decisions]


def _mean(values: Sequence[Floats], weights: Sequence[float], draws: int) -> Interval:
    rng = Seeds(0).child("measure/costs").numpy()

    def mean(parts: Sequence[Floats]) -> float:
        return sum(weight * float(part.mean()) for weight, part in zip(weights, parts, strict=True))

    drawn = [mean([rng.choice(part, len(part)) for part in values]) for _ in range(draws)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(mean(values), float(low), float(high))
