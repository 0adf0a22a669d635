"""What a stress test comes to: severity curves by kind, and what is kept of the clean macro-F1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from leansort.core.files.typed_result import TypedResult
from leansort.measure.accuracy.metrics import Coverage, Interval


@dataclass(frozen=True)
class LevelScore:
    """How right a bundle is at one level.

    Attributes:
        level: 1 to 5; 0 for clean crops.
        macro_f1: over the classes that the crops show, with its 95 % bootstrap interval.
        accuracy: fraction of right labels.
        confidence: mean calibrated probability of the labels given.
        kept: macro-F1 over that of the same crops without corruption.
    """

    level: int
    macro_f1: Interval
    accuracy: float
    confidence: float
    kept: float


@dataclass(frozen=True)
class KindScore:
    """The severity curve of one kind of corruption.

    Attributes:
        kind: its name.
        crops: that it could be made of: all, but for other grounds, which need the object cut out.
        clean: of these crops without corruption.
        levels: of each level that was measured, in order.
    """

    kind: str
    crops: int
    clean: LevelScore
    levels: tuple[LevelScore, ...]

    def at(self, level: int) -> LevelScore:
        """Return the score of a level that was measured; 0 is clean."""
        return next(score for score in (self.clean, *self.levels) if score.level == level)


@dataclass(frozen=True)
class StressSummary:
    """A bundle's robustness in a few numbers, all at one level.

    Attributes:
        level: of all these.
        macro_f1: mean over the kinds.
        kept: mean over the kinds of what is kept of the clean macro-F1.
        worst: the kind with the lowest macro-F1.
        worst_macro_f1: of it.
    """

    level: int
    macro_f1: float
    kept: float
    worst: str
    worst_macro_f1: float


@dataclass(frozen=True)
class StressedBundle:
    """A bundle under stress.

    Attributes:
        path: of its file, as it was given.
        digest: of the bundle.
        engine: that ran it, with its settings.
        clean: of all crops without corruption, of the size that is corrupted.
        kinds: a severity curve each.
        summary: mean and worst.
        failed: corrupted crops for which the network gave no finite numbers; they count as wrong.
    """

    path: str
    digest: str
    engine: str
    clean: LevelScore
    kinds: tuple[KindScore, ...]
    summary: StressSummary
    failed: int = 0

    def kind(self, name: str) -> KindScore:
        """Return the curve of a kind that was measured."""
        return next(score for score in self.kinds if score.kind == name)


@dataclass(frozen=True)
class NotCutOut:
    """A crop whose object could not be cut out.

    Attributes:
        image: its name.
        reason: why.
    """

    image: str
    reason: str


@dataclass(frozen=True)
class CutOuts:
    """Which objects were cut out, to be put on other grounds.

    Attributes:
        by_polygon: crops cut out by the polygon of their annotation.
        by_colour: crops cut out by colour.
        not_cut: the others; other grounds are measured without them.
    """

    by_polygon: int
    by_colour: int
    not_cut: tuple[NotCutOut, ...] = ()


@dataclass(frozen=True)
class KindParameters:
    """What the levels of a kind set.

    Attributes:
        kind: its name.
        parameter: what is set, with the unit.
        levels: the parameter at levels 1 to 5, one or two numbers each.
        source: the corruption of ImageNet-C whose numbers these are; empty for our own.
    """

    kind: str
    parameter: str
    levels: tuple[tuple[float, ...], ...]
    source: str = ""


class StressResult(TypedResult):
    """One or two bundles under stress.

    Attributes:
        bundles: in the order given.
        truth: where the right labels were read.
        crops: that were measured.
        macro_f1_classes: that the macro-F1 was taken over, and those left out.
        side: longest side in pixels at which crops were corrupted.
        seed: of all randomness; with the name of crop and kind it decides every pixel.
        parameters: what the levels of each kind set.
        cut_outs: which objects were put on other grounds; None where that was not asked for.
        textures: photos of a user's own grounds.
        notes: what was left out, and how labels were read, a line each.
        page: path of the page; empty where none was written.
    """

    VERSION: ClassVar[int] = 1
    bundles: tuple[StressedBundle, ...]
    truth: str
    crops: int
    macro_f1_classes: Coverage
    side: int
    seed: int
    parameters: tuple[KindParameters, ...]
    cut_outs: CutOuts | None = None
    textures: int = 0
    notes: tuple[str, ...] = ()
    page: str = ""

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels that were measured."""
        return tuple(score.level for score in self.bundles[0].kinds[0].levels)

    def headline(self) -> dict[str, str]:
        """Return for each bundle what is kept, and what is worst."""
        return {item.path: stress_sentence(item) for item in self.bundles}


def stress_sentence(item: StressedBundle) -> str:
    """Return what a bundle keeps, in one line."""
    summary = item.summary
    return (
        f"clean macro-F1 {item.clean.macro_f1.value:.3f}; at level {summary.level} a mean of {summary.macro_f1:.3f}, "
        f"{summary.kept:.0%} of clean; worst {summary.worst}, {summary.worst_macro_f1:.3f}"
    )
