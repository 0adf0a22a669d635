"""What a comparison of several classifiers with one of them comes to, and its verdict in one sentence."""

from __future__ import annotations

from collections.abc import Iterable

from leansort.core.files.typed_result import TypedResult
from leansort.core.text.word_lists import listed
from leansort.core.writing.escaping import markup
from leansort.measure.accuracy.metrics import Coverage
from leansort.measure.comparison import comparison_rows, multiple_comparison_rows
from leansort.measure.comparison.comparison_result import DISTURBED, crop_remarks
from leansort.measure.comparison.multiple_comparison_rows import NONE, TextTable
from leansort.measure.comparison.reference_comparison import ComparedMember, ReferenceComparison


class MultipleComparisonResult(TypedResult):
    """Several classifiers on the same crops, each compared with the first.

    Attributes:
        reference: the first, `A`, which the others are compared with.
        others: the others in the order given.
        truth: where the right labels were read.
        crops: that all have an answer for.
        macro_f1_classes: classes that the macro-F1 was taken over, and those left out.
        front_criteria: what the Pareto front is of: `macro-F1`, `size`, and `latency` (the median from decoding to
            label) where it was measured; empty where fewer than two are bundles.
        seed: of the bootstrap.
        draws: bootstrap resamples.
        machine: that latencies were measured on, in one line; empty where none were.
        notes: crops left out, and how labels were read, a line each.
        warning: where other work kept the machine busy meanwhile, else empty.
    """

    reference: ComparedMember
    others: tuple[ReferenceComparison, ...]
    truth: str
    crops: int
    macro_f1_classes: Coverage
    front_criteria: tuple[str, ...]
    seed: int
    draws: int
    machine: str = ""
    notes: tuple[str, ...] = ()
    warning: str = ""

    @property
    def members(self) -> tuple[ComparedMember, ...]:
        """All classifiers in the order given, the reference first."""
        return (self.reference, *(other.member for other in self.others))

    @property
    def front(self) -> tuple[ComparedMember, ...]:
        """The classifiers on the Pareto front."""
        return tuple(member for member in self.members if member.on_front)

    @property
    def verdict(self) -> str:
        """How each compares with the reference in macro-F1 and speed, and which are on the Pareto front."""
        against = f"against {self.reference.name}"
        accuracy = _grouped((other.member.name, other.accuracy_words) for other in self.others)
        parts = [f"macro-F1 {against} on {self.crops:,} crops: {accuracy}"]
        timed = [(other.member.name, other.speed_words) for other in self.others if other.speed_words]
        if timed:
            what = comparison_rows.latency_title(self.reference.latencies[0])
            parts.append(f"{what} {against}: {_grouped(timed)}{DISTURBED if self.warning else ''}")
        if self.front:
            names = listed(member.name for member in self.front)
            parts.append(f"on the Pareto front of {listed(self.front_criteria)}: {names}")
        return "; ".join(parts)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, rough intervals, what the p-values were corrected for, and who is not in the Pareto front."""
        return (
            *crop_remarks(self.notes, self.others[0].classes, self.macro_f1_classes),
            f"p is that of McNemar's exact test after Holm's correction for {len(self.others):,} comparisons with "
            f"{self.reference.name}; each interval is a 95 % one by itself",
            *self._front_remarks(),
        )

    def _front_remarks(self) -> list[str]:
        outside = [member.name for member in self.members if member.on_front is None]
        if not self.front_criteria or not outside:
            return []
        return [f"not in the running for the Pareto front, as answers in a file have no size: {', '.join(outside)}"]

    def headline(self) -> dict[str, str]:
        """Return the verdict, and below it a line for each classifier."""
        table = multiple_comparison_rows.overview(self)
        heads = [" ".join(head.split()) for head in table.head]
        lines = {
            row[0]: "; ".join(f"{head} {cell}" for head, cell in zip(heads, row, strict=True) if head and cell != NONE)
            for row in table.rows
        }
        return {"verdict": self.verdict, **lines}

    def _repr_html_(self) -> str:
        """Return the tables with the verdict above them; notebooks show them in place of the object."""
        tables = (
            multiple_comparison_rows.overview(self),
            multiple_comparison_rows.sources(self),
            multiple_comparison_rows.class_scores(self),
        )
        first, *others = map(_html_rows, tables)
        notes = "".join(f"<div>{markup(line)}</div>" for line in (*self.remarks, *filter(None, [self.warning])))
        whole = f"<table><caption>{markup(self.verdict)}</caption>{first}</table>"
        return whole + "".join(f"<table>{rows}</table>" for rows in others) + notes


def _grouped(words: Iterable[tuple[str, str]]) -> str:
    """Names with what is said of them, such as `B higher by 4.9 ± 4.6 points, C and D not told apart`."""
    names: dict[str, list[str]] = {}
    for name, said in words:
        names.setdefault(said, []).append(name)
    return ", ".join(f"{listed(group)} {said}" for said, group in names.items())


def _html_rows(table: TextTable) -> str:
    head = "".join(f"<th style='text-align:left'>{markup(cell)}</th>" for cell in table.head)
    rows = ("".join(f"<td style='text-align:left'>{markup(cell)}</td>" for cell in row) for row in table.rows)
    return f"<tr>{head}</tr>" + "".join(f"<tr>{row}</tr>" for row in rows)
