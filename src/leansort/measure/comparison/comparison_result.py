"""What a comparison of two classifiers comes to, and its verdict in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from leansort.core.files.typed_result import TypedResult
from leansort.core.writing.escaping import markup
from leansort.measure.accuracy.metrics import Coverage, Interval
from leansort.measure.comparison import comparison_rows
from leansort.measure.comparison.changed_answers import ChangedAnswer
from leansort.measure.comparison.class_differences import ClassDifference
from leansort.measure.comparison.mcnemar import PairedCounts
from leansort.measure.measurement import Measurement

DISTURBED = " (timed while other work ran, so not to be trusted)"  # behind a speed
AnswersKind = Literal["bundle", "submission", "predictions"]


@dataclass(frozen=True)
class ComparedClassifier:
    """One side of a comparison.

    Attributes:
        path: of its file, as it was given.
        kind: a `bundle`, which was run; a contest's `submission`; or a CSV file of `predictions`.
        size_bytes: of the file of a bundle; None of answers, whose file is no classifier.
        parameters: weights of the network; None where the file does not state them.
        macs: multiply-adds for one image; None where the file does not state them.
        digest: of a bundle, else empty.
        engine: that ran a bundle, with its settings, else empty.
        threads: compute threads of the engine; 0 where none ran.
        macro_f1: over the classes that the crops show, with its 95 % bootstrap interval.
        accuracy: fraction of the crops that it classifies correctly.
        stated_seconds: that a submission states for its whole run; not measured here.
    """

    path: str
    kind: AnswersKind
    size_bytes: int | None
    parameters: int | None
    macs: float | None
    digest: str
    engine: str
    threads: int
    macro_f1: Interval
    accuracy: float
    stated_seconds: float | None = None


@dataclass(frozen=True)
class LatencyComparison:
    """How long both bundles take for one thing, timed in turns.

    Attributes:
        what: `model alone` or `decode to label`.
        a: latency of A in ms, one image a call.
        b: latency of B in ms.
        ratio: mean time of A over that of B, with its 95 % bootstrap interval; above 1 where B is faster.
    """

    what: str
    a: Measurement
    b: Measurement
    ratio: Interval

    @property
    def sentence(self) -> str:
        """Which is faster, in words; not told apart where the interval holds 1."""
        words = comparison_rows.ratio_words(self.ratio)
        return f"B is {words}" if words else "their speeds are not told apart"


class ComparisonResult(TypedResult):
    """Two classifiers on the same crops.

    Attributes:
        a: the first.
        b: the second, which is compared with the first.
        truth: where the right labels were read.
        crops: that both have an answer for.
        macro_f1_classes: classes that the macro-F1 was taken over, and those left out.
        difference: macro-F1 of B minus that of A, with its paired 95 % bootstrap interval.
        counts: on how many crops they agree, and McNemar's exact test.
        classes: F1 of each class by both.
        latencies: of two bundles, `decode to label` first; empty where nothing could be timed.
        seed: of the bootstrap.
        draws: bootstrap resamples.
        machine: that latencies were measured on, in one line; empty where none were.
        notes: crops left out, and how labels were read, a line each.
        warning: where other work kept the machine busy meanwhile, else empty.
        changes: crops to which they give different labels, what only A gets right first.
    """

    a: ComparedClassifier
    b: ComparedClassifier
    truth: str
    crops: int
    macro_f1_classes: Coverage
    difference: Interval
    counts: PairedCounts
    classes: tuple[ClassDifference, ...]
    latencies: tuple[LatencyComparison, ...]
    seed: int
    draws: int
    machine: str = ""
    notes: tuple[str, ...] = ()
    warning: str = ""
    changes: tuple[ChangedAnswer, ...] = ()

    @property
    def accuracy_sentence(self) -> str:
        """What the macro-F1 says: told apart where the interval of the difference leaves out 0."""
        if not self.counts.disagreements:
            return f"both give each of the {self.crops:,} crops the same label"
        if words := comparison_rows.points_words(self.difference):
            return f"the macro-F1 of B is {words} on {self.crops:,} crops"
        points, half = 100 * self.difference.value, 50 * (self.difference.high - self.difference.low)
        return f"macro-F1 differs by {abs(points):.1f} ± {half:.1f} points: not told apart by {self.crops:,} crops"

    @property
    def verdict(self) -> str:
        """Which one to take, in one sentence: speed from decoding to label, and macro-F1."""
        speed = [f"{latency.sentence}{DISTURBED if self.warning else ''}" for latency in self.latencies[:1]]
        return "; ".join([*speed, self.accuracy_sentence])

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, and the classes of so few crops that their intervals are rough."""
        return crop_remarks(self.notes, self.classes, self.macro_f1_classes)

    def headline(self) -> dict[str, str]:
        """Return the verdict, and below it what is compared: A, B, and B against A."""
        rows = {name: f"{a}; {b}; {against}" for name, a, b, against in comparison_rows.rows(self)}
        return {"verdict": self.verdict, **rows}

    def _repr_html_(self) -> str:
        """Return the whole table with the verdict above it; notebooks show it in place of the object."""
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in ("", "A", "B", "B against A (95 %)"))
        body = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{markup(cell)}</td>" for cell in row) + "</tr>"
            for row in [*comparison_rows.source_rows(self), *comparison_rows.rows(self)]
        )
        notes = "".join(f"<div>{markup(line)}</div>" for line in (*self.remarks, *filter(None, [self.warning])))
        return f"<table><caption>{markup(self.verdict)}</caption><tr>{head}</tr>{body}</table>{notes}"


def crop_remarks(notes: Sequence[str], classes: Sequence[ClassDifference], covered: Coverage) -> tuple[str, ...]:
    """Return the notes, the classes without a crop, and those of so few that their intervals are rough."""
    few = [f"{row.name} ({row.support})" for row in classes if row.support and row.few]
    text = f"few crops, so that these intervals are rough: {', '.join(few)}"
    left_out = covered.sentence("the crops")
    return (*notes, *([left_out] if left_out else []), *([text] if few else []))
