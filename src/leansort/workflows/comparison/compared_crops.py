"""The crops that all sides of a comparison have an answer for, and what those answers come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leansort.core.errors import UserError
from leansort.core.text.word_lists import listed
from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.ground_truth import GroundTruth, read_ground_truth
from leansort.measure.accuracy.metrics import Coverage, Interval, Ints
from leansort.measure.comparison.changed_answers import ChangedAnswer, changed_answers
from leansort.measure.comparison.class_differences import ClassDifference, class_differences
from leansort.measure.comparison.comparison_result import ComparedClassifier
from leansort.measure.comparison.mcnemar import PairedCounts, paired_counts
from leansort.workflows.comparison.answer_files import AnswerFile
from leansort.workflows.comparison.answered_side import AnsweredSide, answered_side
from leansort.workflows.comparison.comparison_checks import require_same_classes

DRAWS = 2000  # bootstrap resamples


@dataclass(frozen=True)
class AnsweredPair:
    """What the answers of two sides on the same crops come to.

    Attributes:
        difference: macro-F1 of the second minus that of the first, with its paired 95 % bootstrap interval.
        counts: on how many crops they agree, and McNemar's exact test.
        classes: F1 of each class by both.
        changes: crops to which they give different labels.
    """

    difference: Interval
    counts: PairedCounts
    classes: tuple[ClassDifference, ...]
    changes: tuple[ChangedAnswer, ...]


@dataclass(frozen=True)
class ComparedCrops:
    """Crops with an answer of every side.

    Attributes:
        truth: where the right answers are from.
        sides: what is compared, the first is the reference.
        names: of the crops, n of them.
        target: class index of each crop, shape (n,).
        predicted: class index that each side predicts for each crop, shape (n,) a side.
        seed: of the bootstrap.
        notes: crops left out, and how labels were read, a line each.
    """

    truth: GroundTruth
    sides: tuple[AnsweredSide, ...]
    names: tuple[str, ...]
    target: Ints
    predicted: tuple[Ints, ...]
    seed: int
    notes: tuple[str, ...]

    @property
    def coverage(self) -> Coverage:
        """The classes that these crops show, and those that they do not."""
        classes = self.truth.labels.names
        return metrics.coverage(classes, np.bincount(self.target, minlength=len(classes)).tolist())

    def classifier(self, at: int) -> ComparedClassifier:
        """A side by itself: its file and how well it does."""
        side, predicted = self.sides[at], self.predicted[at]
        file, meta = side.file, side.file.bundle.meta if side.file.bundle else None
        return ComparedClassifier(
            path=str(file.path),
            kind=file.kind,
            size_bytes=file.path.stat().st_size if meta else None,
            parameters=meta.parameters if meta else None,
            macs=meta.macs if meta else file.macs,
            digest=file.bundle.digest if file.bundle else "",
            engine=side.classifier.engine_name if side.classifier else "",
            threads=side.threads,
            macro_f1=metrics.macro_f1_interval(self.target, predicted, len(self.truth.labels), DRAWS, self.seed),
            accuracy=float((self.target == predicted).mean()),
            stated_seconds=file.seconds,
        )

    def pair(self, first: int, second: int) -> AnsweredPair:
        """Two sides against each other, on bootstrap resamples that both share."""
        classes, t = self.truth.labels.names, self.target
        p, q = self.predicted[first], self.predicted[second]
        labels = (dict(zip(self.names, (classes[at] for at in each), strict=True)) for each in (t, p, q))
        return AnsweredPair(
            difference=metrics.paired_difference(t, p, q, len(classes), DRAWS, self.seed),
            counts=paired_counts(t, p, q),
            classes=tuple(class_differences(t, p, q, classes, DRAWS, self.seed)),
            changes=changed_answers(self.names, *labels),
        )


def compared_crops(
    files: Sequence[AnswerFile], engines: Sequence[str], threads: int, truth: Path, split: str, seed: int
) -> ComparedCrops:
    """Let every side answer the crops of the ground truth, and keep those that all have an answer for.

    Args:
        files: what was opened, at least two.
        engines: that run the bundles, one a file.
        threads: compute threads of the engines.
        truth: a manifest, a folder of class folders, or a CSV file `image,label`.
        split: which split of these.
        seed: of the bootstrap.

    Raises:
        UserError: classes differ, nothing could be classified, or no crop has an answer of all.
        EngineError: an engine crashed, hung or failed when it was tried.
    """
    ground = _ground_truth(files, truth, split)
    sides = tuple(answered_side(file, on, threads, ground) for file, on in zip(files, engines, strict=True))
    names = tuple(name for name in ground.index if all(name in side.labels for side in sides))
    notes = [*ground.notes, *(note for side in sides for note in side.notes)]
    notes += [line for side in sides if (line := _left_out(side, ground, len(sides)))]
    if not names:
        raise UserError(
            f"compare: {listed(file.side for file in files)} have no answer for the same picture of {ground.where}; "
            f"{notes[0]}"
        )
    target = np.array([ground.index[name] for name in names])
    predicted = tuple(
        np.array([ground.labels.index(side.labels[name], f"answer of {side.file.side} for {name}") for name in names])
        for side in sides
    )
    return ComparedCrops(ground, sides, names, target, predicted, seed, tuple(notes))


def _ground_truth(files: Sequence[AnswerFile], path: Path, split: str) -> GroundTruth:
    """The right answers, with the classes of the bundles, or with those that the answers name besides."""
    bundles = [(file, file.bundle) for file in files if file.bundle]
    truth = read_ground_truth(path, split, bundles[0][1].labels if bundles else None)
    for file, bundle in bundles:
        require_same_classes(bundle.meta.labels, truth.labels.names, file.side, truth.where)
    answers = [label for file in files if not file.bundle for label in file.labels.values()]
    return truth.among(answers) if answers else truth


def _left_out(side: AnsweredSide, truth: GroundTruth, sides: int) -> str:
    missing = [name for name in truth.index if name not in side.labels]
    if not missing:
        return ""
    return (
        f"{side.file.side} has no answer for {len(missing):,} of {len(truth.index):,} crops, first {missing[0]}; "
        f"they are left out for {'both' if sides == 2 else 'all'}"
    )
