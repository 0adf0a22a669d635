"""One of several classifiers, and how it compares with the reference that all of them are held against."""

from __future__ import annotations

from dataclasses import dataclass

from leansort.measure.accuracy.metrics import Interval
from leansort.measure.comparison import comparison_rows
from leansort.measure.comparison.changed_answers import ChangedAnswer
from leansort.measure.comparison.class_differences import ClassDifference
from leansort.measure.comparison.comparison_result import ComparedClassifier
from leansort.measure.comparison.mcnemar import PairedCounts
from leansort.measure.measurement import Measurement

LEVEL = 0.05  # a p-value below it tells two classifiers apart


@dataclass(frozen=True)
class ComparedMember:
    """One of several classifiers that answer the same crops.

    Attributes:
        name: a letter, in the order given: `A` is the reference.
        classifier: its file, what ran it, and how well it does.
        latencies: `decode to label` first, then `model alone`, in ms; empty where it was not timed.
        on_front: whether no other beats it in all that the Pareto front is of; None where it is not in the running,
            as answers in a file have neither size nor latency.
    """

    name: str
    classifier: ComparedClassifier
    latencies: tuple[Measurement, ...] = ()
    on_front: bool | None = None


@dataclass(frozen=True)
class ReferenceComparison:
    """One of several classifiers against the reference. In what pairs hold, `a` is the reference and `b` this one.

    Attributes:
        member: the classifier.
        difference: its macro-F1 minus that of the reference, with the paired 95 % bootstrap interval.
        counts: on how many crops the two agree, and McNemar's exact test of this pair alone.
        adjusted_p: that test's p-value after Holm's correction for all comparisons with the reference.
        classes: F1 of each class by both.
        ratios: mean time of the reference over its own, by latency, with 95 % bootstrap intervals; above 1 where it is
            faster than the reference. Empty where one of the two was not timed.
        changes: crops to which the two give different labels, what only the reference gets right first.
    """

    member: ComparedMember
    difference: Interval
    counts: PairedCounts
    adjusted_p: float
    classes: tuple[ClassDifference, ...]
    ratios: tuple[Interval, ...] = ()
    changes: tuple[ChangedAnswer, ...] = ()

    @property
    def accuracy_words(self) -> str:
        """What the macro-F1 says, such as `higher by 4.9 ± 4.6 points`.

        Where the interval leaves out 0 but McNemar's test, corrected for the number of comparisons, does not tell the
        two apart, that is said: of many classifiers that are no better, one has such an interval.
        """
        if not self.counts.disagreements:
            return "same labels"
        words = comparison_rows.points_words(self.difference)
        if not words:
            return "not told apart"
        doubt = f", not surely (p {comparison_rows.p_text(self.adjusted_p)})" if self.adjusted_p >= LEVEL else ""
        return words + doubt

    @property
    def speed_words(self) -> str:
        """Whether it is faster from decoding to label, such as `faster by 1.9 times`; empty where it was not timed."""
        return "".join(comparison_rows.ratio_words(ratio) or "not told apart" for ratio in self.ratios[:1])
