"""What a report shows, already measured; the page only lays it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from leansort.contest.score_result import ContestScore
from leansort.core.files.typed_result import JsonObject
from leansort.measure.accuracy.calibration import Calibration
from leansort.measure.accuracy.metrics import ClassScore, Coverage, Interval, coverage
from leansort.measure.measurement import Measurement
from leansort.report.parts.evidence_content import PageEvidence


@dataclass(frozen=True)
class Figure:
    """One headline figure: `macro-F1`, `0.93`, `95 % interval 0.91 – 0.95, 1,204 test crops`."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Mistake:
    """A picture that was sorted wrong with high confidence; `thumbnail` is a small encoded JPEG."""

    file: str
    thumbnail: bytes
    truth: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class SplitCalibration:
    """What a calibration comes to on crops that it was not fitted on.

    Attributes:
        ece: expected calibration error.
        coverage: fraction of the crops that is accepted.
        error: fraction of wrong labels among the accepted ones.
    """

    ece: float
    coverage: float
    error: float


@dataclass(frozen=True)
class Report:
    """Everything on the page.

    Attributes:
        title: of the page.
        summary: one sentence under it.
        conclusion: a paragraph under that, on what the whole came to; may be empty.
        headline: three to six figures.
        f1: macro-F1 with its interval.
        split: which split was scored, and `crops` how many.
        classes: the per-class table.
        matrix: confusion counts, rows truth, columns prediction, in the order of `classes`.
        mistakes: worst first.
        history: one record an epoch (epoch, loss, lr, val_macro_f1, images_per_s, seconds).
        probe: val macro-F1 of a linear probe of the same data, with its interval; empty where there is none.
        latency: the latency table.
        contest: the contest's scores; may be empty.
        calibration: fitted on val; None where there is none.
        on_split: what it comes to on the scored split; None where that is val.
        limits: a line for each limit of the target: what it asks, what was reached, and whether it is met.
        notes: what the reader must know (skipped pictures, warnings).
        provenance: nested plain data.
        more: all further parts.
    """

    title: str
    summary: str
    headline: tuple[Figure, ...]
    f1: Interval
    split: str
    crops: int
    classes: tuple[ClassScore, ...]
    matrix: tuple[tuple[int, ...], ...]
    mistakes: tuple[Mistake, ...]
    history: tuple[Mapping[str, float | None], ...]
    latency: tuple[Measurement, ...]
    conclusion: str = ""
    probe: str = ""
    contest: tuple[ContestScore, ...] = ()
    calibration: Calibration | None = None
    on_split: SplitCalibration | None = None
    limits: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: JsonObject = field(default_factory=dict)
    more: PageEvidence = field(default_factory=PageEvidence)

    @property
    def over(self) -> Coverage:
        """Which classes the macro-F1 was taken over."""
        return coverage([item.name for item in self.classes], [item.support for item in self.classes])

    @property
    def taken(self) -> tuple[ClassScore, ...]:
        """The rows of those classes."""
        return tuple(item for item in self.classes if item.support)
