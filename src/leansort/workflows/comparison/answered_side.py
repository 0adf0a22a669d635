"""One side of a comparison: its file, and its answers, for which a bundle classifies the photos once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leansort.core.errors import UserError
from leansort.core.process.console import say
from leansort.measure.accuracy.ground_truth import GroundTruth
from leansort.measure.engine_selection import engine_choice
from leansort.runtime import engine as engines
from leansort.runtime.autobatch import usable_cores
from leansort.runtime.predictor import Classifier
from leansort.workflows.comparison.answer_files import AnswerFile, by_picture


@dataclass(frozen=True)
class AnsweredSide:
    """One side with its answers.

    Attributes:
        file: it was read from.
        classifier: of a bundle, else None.
        threads: compute threads of the classifier's engine; 0 where there is none.
        labels: its answer by name of the picture.
        notes: pictures that it could not read, labels spelled otherwise, and the like, a line each.
    """

    file: AnswerFile
    classifier: Classifier | None
    threads: int
    labels: Mapping[str, str]
    notes: tuple[str, ...]


def answered_side(file: AnswerFile, engine: str, threads: int, truth: GroundTruth) -> AnsweredSide:
    """Take the answers of a file, or run a bundle on every picture.

    Args:
        file: what was opened.
        engine: that runs a bundle; the one that suits it where empty.
        threads: compute threads, unless the engine's settings say otherwise.
        truth: whose pictures are asked for.

    Raises:
        UserError: a bundle could read none of the pictures, or a picture is answered twice.
        EngineError: the engine crashed, hung or failed when it was tried.
    """
    if file.bundle is None:
        labels, notes = by_picture(file, truth)
        return AnsweredSide(file, None, 0, labels, tuple(notes))
    classifier = engine_choice.classifier_of(file.bundle, engine, threads=threads, say=say)
    threads = int(engines.parse_engine(engine)[1].get("threads") or threads)
    say(f"compare: {file.side} classifies {len(truth.files):,} crops on {classifier.engine_name}")
    results = classifier.predict_many(truth.files.values(), batch=1, threads=usable_cores())
    by_name = dict(zip(truth.files, results, strict=True))
    faults = [f"{name}: {item.error}" for name, item in by_name.items() if item.error]
    if len(faults) == len(by_name):
        raise UserError(f"compare: {file.side} could classify none of the {len(faults)} pictures, first {faults[0]}")
    labels = {name: item.label for name, item in by_name.items() if not item.error}
    return AnsweredSide(file, classifier, threads, labels, tuple(f"{file.side}: unreadable {x}" for x in faults))
