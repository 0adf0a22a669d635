"""What the parts of a run's page show, already measured; the templates only lay it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from leansort.contest.score_result import UnknownScore
from leansort.measure.accuracy.reliability import AcceptedFraction, ReliabilityBin
from leansort.measure.comparison.class_intervals import ClassInterval
from leansort.measure.robustness.stress_result import StressedBundle


@dataclass(frozen=True)
class GoalRow:
    """One thing that was asked for, beside what was reached.

    Attributes:
        name: such as `macro-F1`.
        asked: such as `at least 0.85`.
        reached: the value, with its interval where it has one.
        verdict: `met`, `not met`, or `met, but not surely` where the interval holds the limit.
        source: where it was asked for, such as `target.limits`.
    """

    name: str
    asked: str
    reached: str
    verdict: str
    source: str


@dataclass(frozen=True)
class TriedResult:
    """A network that was tried on the way.

    Attributes:
        anchor: id of its row on the page.
        name: such as `step 1-prune` or `trial 12`.
        outcome: what became of it.
        macro_f1: on val; None where it was not scored.
        interval: 95 %, of that; None where it is not known.
        size_mb: of the bundle; None where it was not written.
        ms: median latency of the network alone; None where it was not timed.
        note: why, for people.
        here: whether the run's bundle is this one.
    """

    anchor: str
    name: str
    outcome: str
    macro_f1: float | None = None
    interval: tuple[float, float] | None = None
    size_mb: float | None = None
    ms: float | None = None
    note: str = ""
    here: bool = False


@dataclass(frozen=True)
class CellPhoto:
    """A photo behind a cell of the confusion matrix; `thumbnail` is a JPEG, empty where it cannot be read."""

    file: str
    thumbnail: bytes
    probability: float


@dataclass(frozen=True)
class MatrixCell:
    """The photos of one cell of the confusion matrix.

    Attributes:
        photos: those that are on the page, in order.
        count: all of the cell.
    """

    photos: tuple[CellPhoto, ...]
    count: int


@dataclass(frozen=True)
class EvidencePicture:
    """What the network sees of a photo, with what its label rests on drawn into it.

    Attributes:
        picture: a JPEG.
        words: the same in words, for those who do not see it.
    """

    picture: bytes
    words: str


@dataclass(frozen=True)
class Doubt:
    """A photo whose label is doubtful.

    Attributes:
        file: of the photo.
        thumbnail: a JPEG; empty where it cannot be read.
        label: what it is labelled.
        suggested: what it may be.
        note: how sure that is, and where it lies.
        evidence: for what the deployed graph takes it for; None where it was not computed.
    """

    file: str
    thumbnail: bytes
    label: str
    suggested: str
    note: str
    evidence: EvidencePicture | None = None


@dataclass(frozen=True)
class PassStep:
    """What a chain of passes holds after a step.

    Attributes:
        name: of the step.
        size_mb: of the bundle.
        ms: median latency by engine, of the engines that were timed after every step.
    """

    name: str
    size_mb: float
    ms: Mapping[str, float]


@dataclass(frozen=True)
class DataHealth:
    """What the data is like.

    Attributes:
        splits: crops by split and class, in the order of the labels.
        findings: (what, how often, examples) of what an import found wrong.
        notes: sentences.
    """

    splits: Mapping[str, Mapping[str, int]]
    findings: tuple[tuple[str, int, tuple[str, ...]], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PageEvidence:
    """Everything on a run's page that is not in its score, its latencies and its history.

    Attributes:
        goal: what was asked for; empty where nothing was.
        tried: networks that were tried; empty where there was one.
        intervals: of each class, in the order of the classes; may be empty.
        cells: photos by (row, column) of the confusion matrix.
        cell_limits: a sentence that says which photos are there.
        evidence: by file, of the worst mistakes.
        doubts: the most doubtful labels.
        bins: confidence against accuracy on the scored split.
        accepted: accuracy against coverage there.
        unknown: how well unknown photos are told; None where none were given.
        stress: severity curves; None where there are none.
        passes: the chain of passes; empty where nothing was compressed.
        data: None where the manifest cannot tell.
        commands: (what for, command).
        missing: why a part is not there, by its id.
    """

    goal: tuple[GoalRow, ...] = ()
    tried: tuple[TriedResult, ...] = ()
    intervals: tuple[ClassInterval | None, ...] = ()
    cells: Mapping[tuple[int, int], MatrixCell] = field(default_factory=dict)
    cell_limits: str = ""
    evidence: Mapping[str, EvidencePicture] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    bins: tuple[ReliabilityBin, ...] = ()
    accepted: tuple[AcceptedFraction, ...] = ()
    unknown: UnknownScore | None = None
    stress: StressedBundle | None = None
    passes: tuple[PassStep, ...] = ()
    data: DataHealth | None = None
    commands: tuple[tuple[str, str], ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
