"""Answers to score: those of a submission file, or of a bundle, which is run; with the ground truth for them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from leansort.contest import submission_file
from leansort.contest.submission_file import Submission
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.folders.image_files import KnownNames
from leansort.core.labels import count_respelled
from leansort.measure.accuracy.ground_truth import GroundTruth, read_ground_truth
from leansort.measure.accuracy.metrics import Ints
from leansort.runtime.predictor import Prediction
from leansort.workflows.contest.submit import ClassifiedPictures, classify_pictures

Classify = Callable[[Bundle, Sequence[Path], str], ClassifiedPictures]  # the last is the engine


@dataclass(frozen=True)
class Answers:
    """The predictions of a submission, with the ground truth that they are held against.

    Attributes:
        truth: the ground truth.
        submission: the predictions by the ground truth's names, and what they cost.
        faults: a line for each picture that could not be read.
        predictions: of a bundle, by the ground truth's names; empty of a submission file.
    """

    truth: GroundTruth
    submission: Submission
    faults: tuple[str, ...] = ()
    predictions: Mapping[str, Prediction] = field(default_factory=dict)


def respelled_answers(answers: Iterable[str]) -> list[str]:
    """Answers that were taken for a class that is spelled otherwise."""
    return [f"predictions: {told}, {times} crop{'s' * (times > 1)}" for told, times in count_respelled(answers).items()]


def classify_here(bundle: Bundle, pictures: Sequence[Path], engine: str) -> ClassifiedPictures:
    """Classify in this process, as a submission does."""
    return classify_pictures(bundle, pictures, engine=engine)


def read_answers(
    answers: Path, truth_path: Path, split: str, engine: str, classify: Classify = classify_here
) -> Answers:
    """Read a submission file, or run a bundle on the images of the ground truth by `classify`.

    Raises:
        UserError: none of the images can be read, or the bundle's classes are others than the ground truth's.
        IntegrityError: the bundle is damaged.
    """
    if is_bundle(answers):
        return _run(answers, truth_path, split, engine, classify)
    given = submission_file.load(answers)
    truth = read_ground_truth(truth_path, split).among(given.labels.values())
    return Answers(truth, Submission(respelled_names(given.labels, truth), given.seconds, given.macs))


def is_bundle(answers: Path) -> bool:
    """Whether a file is a bundle, by its name or content, else answers."""
    return answers.is_file() and (answers.suffix == ".leansort" or zipfile.is_zipfile(answers))


def respelled_names(labels: Mapping[str, str], truth: GroundTruth) -> dict[str, str]:
    """Answers by the names of the ground truth, also where the submission has them in another Unicode form."""
    known = KnownNames(labels)
    meant = {known.match(name, "submission"): name for name in truth.index if name not in labels}
    return {name if name in truth.index else meant.get(name, name): label for name, label in labels.items()}


def predicted_classes(truth: GroundTruth, labels: Mapping[str, str], what: str) -> Ints:
    """Class index of each image's answer, in the order of the ground truth.

    Args:
        truth: the ground truth.
        labels: the answers by its names.
        what: names the work in errors.

    Raises:
        UserError: an image has no answer, or one that is no class.
    """
    missing = [name for name in truth.index if name not in labels]
    if missing:
        raise UserError(f"{what}: {len(missing)} of {len(truth.index)} pictures have no answer, first {missing[0]}")
    return np.array([truth.labels.index(labels[name], f"answer for {name}") for name in truth.index])


def _run(path: Path, truth_path: Path, split: str, engine: str, classify: Classify) -> Answers:
    bundle = bundles.load(path)
    truth = read_ground_truth(truth_path, split, bundle.labels)
    bundle.labels.require_same(truth.labels, "the bundle", truth.where)
    result = classify(bundle, list(truth.files.values()), engine)
    if len(result.faults) == len(truth.files):
        raise UserError(f"score: none of the {len(result.faults)} pictures can be read, first {result.faults[0]}")
    predictions = {item.image: item.prediction for item in result.predictions}
    return Answers(truth, result.submission, result.faults, predictions)
