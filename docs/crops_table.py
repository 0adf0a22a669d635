"""Print how wide the intervals of macro-F1 are for so many crops: the tables of `docs/macro-f1.md`.

    python -m docs.crops_table

Answers are drawn, not a network's: the classes come as often as in TrashNet's val split, each crop gets its own class
with the same probability, and else one of the others. The intervals are those of `leansort score` and `compare`.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leansort.core.seeds import Seeds
from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.metrics import Ints
from leansort.report import markdown

TRASHNET = (46, 65, 56, 83, 61, 17)  # val crops of each class
RESAMPLES = 500
IN_COMMON = 0.5  # fraction of one network's errors that the other makes, too


@dataclass(frozen=True)
class Widths:
    """Half of the 95 % intervals, in points, mean over drawn answers.

    Attributes:
        alone: of one network's macro-F1.
        paired: of the difference of two networks that are right equally often, on the same crops.
        smallest: of the F1 of the class with the fewest crops.
    """

    alone: float
    paired: float
    smallest: float


def class_counts(crops: int) -> list[int]:
    """Return crops by class, in TrashNet's proportions, at least one of each."""
    return [max(1, round(crops * count / sum(TRASHNET))) for count in TRASHNET]


def draw_answers(truth: Ints, right: float, rng: np.random.Generator) -> Ints:
    """Return predictions that are the ground truth with a probability, and else another class."""
    wrong = (truth + rng.integers(1, len(TRASHNET), len(truth))) % len(TRASHNET)
    return np.asarray(np.where(rng.random(len(truth)) < right, truth, wrong), np.int64)


def draw_rival(truth: Ints, answers: Ints, rng: np.random.Generator) -> Ints:
    """Return predictions of a network that is right as often, and shares a part of the other's errors."""
    keep = rng.random(len(truth)) < IN_COMMON
    again = rng.permutation(np.flatnonzero((answers == truth) | ~keep))
    rival = np.where((answers != truth) & keep, answers, truth)
    missing = int((answers != truth).sum() - (rival != truth).sum())
    rival[again[:missing]] = (truth[again[:missing]] + 1) % len(TRASHNET)
    return np.asarray(rival, np.int64)


def widths(crops: int, right: float, draws: int = 20, seed: int = 0) -> Widths:
    """Return how wide the intervals are.

    Args:
        crops: how many there are.
        right: probability that a crop gets its class.
        draws: how many sets of answers the mean is taken over.
        seed: of the draws.
    """
    counts = class_counts(crops)
    truth = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    alone, paired, smallest = [], [], []
    for draw in range(draws):
        rng = Seeds(seed).child(f"docs/crops/{crops}/{right}/{draw}").numpy()
        answers = draw_answers(truth, right, rng)
        one = metrics.macro_f1_interval(truth, answers, len(counts), RESAMPLES, draw)
        both = metrics.paired_difference(truth, answers, draw_rival(truth, answers, rng), len(counts), RESAMPLES, draw)
        indices = metrics.bootstrap_indices(len(truth), RESAMPLES, draw)
        least = metrics.f1_by_class(metrics.resampled_confusions(truth, answers, len(counts), indices))[:, -1]
        alone.append(one.high - one.low)
        paired.append(both.high - both.low)
        smallest.append(float(np.subtract(*np.quantile(least, [0.975, 0.025]))))
    return Widths(*(50 * statistics.fmean(values) for values in (alone, paired, smallest)))


def table(right: float, crops: Sequence[int] = (100, 328, 1000, 3000, 10000)) -> str:
    """Return the widths for several numbers of crops as a table in Markdown."""
    rows = []
    for count in crops:
        found = widths(count, right)
        points = [f"± {value:.1f}" for value in (found.alone, found.paired, found.smallest)]
        rows.append([f"{count:,}", *points, str(min(class_counts(count)))])
    head = ["crops", "macro-F1", "difference of two networks", "F1 of the smallest class", "crops of that class"]
    return markdown.table(head, rows)


if __name__ == "__main__":
    for right in (0.94, 0.85):
        print(f"{right:.0%} of the crops right, half of the 95 % interval in points:\n\n{table(right)}\n")
