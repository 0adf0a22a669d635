"""What a linear probe comes to, and what is told of it beside a training of the same data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leansort.core.errors import UserError
from leansort.core.files.typed_result import TypedResult
from leansort.core.process.console import say
from leansort.core.run_folder import TrainingFolder
from leansort.core.text.columns import align_columns
from leansort.core.writing.escaping import printable
from leansort.measure.accuracy.metrics import ClassScore, DescribedCoverage, Interval, Ints

MOST_PAIRS = 5  # confused pairs that are told


@dataclass(frozen=True)
class ConfusedPair:
    """Val crops of one class that were taken for another.

    Attributes:
        truth: the true class.
        predicted: the class that they were taken for.
        count: number of these crops.
        of: number of all val crops of the true class.
    """

    truth: str
    predicted: str
    count: int
    of: int

    def __str__(self) -> str:
        """As `glass as plastic 5 of 72`."""
        return f"{self.truth} as {self.predicted} {self.count} of {self.of}"


@dataclass(frozen=True)
class TriedPenalty:
    """A strength of the L2 penalty, judged by cross-validation on train.

    Attributes:
        penalty: factor of half the squared weights, beside the mean loss.
        loss: weighted mean cross-entropy of crops that were held out.
        accuracy: fraction of them that were classified correctly.
    """

    penalty: float
    loss: float
    accuracy: float


@dataclass(frozen=True)
class StageTime:
    """What a stage took.

    Attributes:
        stage: `import`, `network`, `decode`, `features` or `fit`.
        seconds: by the clock.
        cpu_seconds: of the processor, over all threads; what other programs do does not count.
    """

    stage: str
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class ProbeScore:
    """A linear probe's figure, as it is told beside a training.

    Attributes:
        val_macro_f1: with its 95 % bootstrap interval.
        network: that made the features.
        pretrained: its weights.
        size: side of the images in pixels.
    """

    val_macro_f1: Interval
    network: str
    pretrained: str
    size: int

    def __str__(self) -> str:
        """As `0.8985 (95 % 0.8612 – 0.9301) on features of efficientnet_lite0, 160 px`."""
        return f"{self.val_macro_f1} on features of {self.network} ({self.pretrained}), {self.size} px"


class ProbeResult(TypedResult):
    """What `leansort train --quick` comes to.

    Attributes:
        score: macro-F1 on val, and of which network's features.
        macro_f1_classes: the classes that macro-F1 was taken over.
        classes: the per-class table.
        confused: the pairs of classes that were confused most, the most frequent first.
        note: why the network is not the recipe's own; empty where it is.
        features: number of features of a crop.
        cached: whether all features came from the cache.
        train_crops: that the classifier was fitted on.
        val_crops: that it was scored on.
        folds: of the cross-validation on train.
        penalty: the strength that it chose.
        tried: all that it tried, strongest first.
        stages: what each stage took.
        data: digest of the manifest.
        folder: that the result was written into.
    """

    score: ProbeScore
    macro_f1_classes: DescribedCoverage
    classes: tuple[ClassScore, ...]
    confused: tuple[ConfusedPair, ...]
    note: str
    features: int
    cached: bool
    train_crops: int
    val_crops: int
    folds: int
    penalty: float
    tried: tuple[TriedPenalty, ...]
    stages: tuple[StageTime, ...]
    data: str
    folder: str

    def headline(self) -> dict[str, str]:
        """Return the score, whose features they are, what is confused and what it took."""
        seconds, cpu = (sum(s.seconds for s in self.stages), sum(s.cpu_seconds for s in self.stages))
        parts = ", ".join(f"{stage.stage} {stage.cpu_seconds:.1f}" for stage in self.stages)
        source = f"{self.score.network} ({self.score.pretrained}), {self.score.size} px"
        return {
            "val macro-F1": f"{self.score.val_macro_f1} {self.macro_f1_classes}",
            "features": f"{self.features:,} of {source}{', from the cache' if self.cached else ''}",
            "penalty": f"{self.penalty:g}, by {self.folds}-fold cross-validation on {self.train_crops:,} train crops",
            "confused most": ", ".join(map(str, self.confused)) or "nothing",
            "seconds": f"{seconds:.1f}, of the processor {cpu:.1f}: {parts}",
            "folder": self.folder,
        }


def confused_pairs(matrix: Ints, names: tuple[str, ...]) -> tuple[ConfusedPair, ...]:
    """The most frequent confusions of a confusion matrix, rows truth, columns prediction."""
    off = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-off, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [(at // len(names), at % len(names)) for at in order.tolist() if off.flat[at]]
    return tuple(ConfusedPair(names[i], names[j], int(off[i, j]), int(matrix[i].sum())) for i, j in pairs)


def probe_text(result: ProbeResult) -> str:
    """Lay a result out as text."""
    rows = [("class", "F1", "precision", "recall", "val crops")]
    rows += [
        (printable(c.name), f"{c.f1:.4f}", f"{c.precision:.4f}", f"{c.recall:.4f}", str(c.support))
        for c in result.classes
    ]
    lines = [f"{name:14} {text}" for name, text in result.headline().items()]
    note = [result.macro_f1_classes.note] if result.macro_f1_classes.note else []
    return "\n".join([lines[0], *note, align_columns(rows, left=1), *lines[1:]])


def read_probe(folder: TrainingFolder, data: str) -> ProbeScore | None:
    """The figure of a probe in a training's folder; None where there is none, or one of other data, which is said.

    Args:
        folder: the training's.
        data: digest of the manifest that the training is on.
    """
    try:
        probe = folder.probe.read_if_there(ProbeResult, "probe")
    except UserError as error:  # it is an aside: a training is not lost over it
        say(f"warning: {error}; the linear probe is not reported")
        return None
    if probe is not None and probe.data != data:
        say(f"warning: {folder.probe} is of other data or splits, and not reported; run leansort train --quick again")
        return None
    return probe.score if probe else None


def probe_line(probe: ProbeScore, val_macro_f1: float) -> str:
    """One line that sets a training beside the probe of the same data."""
    gain = val_macro_f1 - probe.val_macro_f1.value
    return f"linear probe {probe}; the training is {abs(gain):.4f} {'better' if gain >= 0 else 'worse'}"
