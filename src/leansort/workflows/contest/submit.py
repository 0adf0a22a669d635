"""`leansort submit`: the contest's whole job, from process start to closed file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from leansort.contest.submission_file import Submission
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.damage.watch import Watch, watch_images
from leansort.core.errors import UserError
from leansort.core.files.typed_result import TypedResult
from leansort.core.manifest import duplicates
from leansort.core.preprocess import UnreadableImage
from leansort.core.process.console import say
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import printable
from leansort.measure.accuracy.image_names import image_names
from leansort.measure.engine_selection import engine_choice
from leansort.runtime import named_predictions
from leansort.runtime.autobatch import usable_cores
from leansort.runtime.named_predictions import NamedPrediction
from leansort.runtime.predictor import Classifier, failed_prediction


class SubmitResult(TypedResult):
    """A submission file that was written.

    Attributes:
        file: the submission file.
        pictures: number of pictures in it.
        seconds: of the whole run, from the start of the process, as the file states them.
        faults: a line for each picture that could not be read and got the first class.
    """

    file: Path
    pictures: int
    seconds: float
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassifiedPictures:
    """Pictures that a bundle has classified.

    Attributes:
        submission: a label for every picture, and what they cost.
        predictions: with probabilities, in the order of the pictures; `error` is set where one could not be read.
    """

    submission: Submission
    predictions: tuple[NamedPrediction, ...]
    faults: tuple[str, ...]


def submit(
    bundle: Path,
    pictures: Sequence[Path],
    out: Path,
    *,
    threads: int = 0,
    engine: str = "",
    predictions: Path | None = None,
) -> SubmitResult:
    """Classify all pictures and write the contest's submission file.

    A picture that cannot be read must have an answer all the same: it gets the first class, and is returned. One that
    is damaged is named, and sorted by what could be decoded.

    Args:
        bundle: the bundle file.
        pictures: their paths; see `measure.accuracy.image_names` for what they are called.
        out: gets the JSON object.
        threads: that decode and run; 0 takes every core.
        engine: which engine; the one that suits the bundle where empty, the fastest for `auto`.
        predictions: gets each picture's probabilities as well, one JSON object a line; None writes none.

    Raises:
        UserError: a picture is named twice.
    """
    atomic_io.require_file(out)  # not only when all are sorted
    result = classify_pictures(bundles.load(bundle), pictures, threads=threads, engine=engine)
    result.submission.save(out)
    if predictions:
        named_predictions.save(result.predictions, predictions)
    return SubmitResult(file=out, pictures=len(pictures), seconds=result.submission.seconds, faults=result.faults)


def classify_pictures(
    bundle: Bundle, pictures: Sequence[Path], *, threads: int = 0, engine: str = ""
) -> ClassifiedPictures:
    """Classify pictures one by one, with the time of each; see `submit`.

    Raises:
        UserError: a picture is named twice.
    """
    names = image_names(pictures)
    if doubled := duplicates(names):
        raise UserError(f"submit: {doubled[0]} is named twice")
    with (
        engine_choice.classifier_of(bundle, engine, say=say) as classifier,
        watch_images() as watch,
        ThreadPoolExecutor(threads or usable_cores()) as pool,
    ):
        started = time.perf_counter()
        timed = list(pool.map(lambda name, path: _classify(classifier, name, path, watch), names, pictures))
        inference_s = time.perf_counter() - started
        predictions, seconds = tuple(item for item, _ in timed), [spent for _, spent in timed]
        submission = Submission(
            labels={item.image: item.prediction.label or bundle.meta.labels[0] for item in predictions},
            seconds=process_seconds(),
            macs=bundle.meta.macs,
            inference_s=inference_s,
            picture_s=dict(zip(names, seconds, strict=True)),
        )
        for line in watch.damage_lines():
            say(printable(f"warning: {line}; it is sorted by what could be decoded"))
    errors = [item.prediction.error for item in predictions]
    faults = sorted(f"{path}: {error}" for path, error in zip(pictures, errors, strict=True) if error)
    return ClassifiedPictures(submission, predictions, tuple(faults))


def _classify(classifier: Classifier, name: str, path: Path, watch: Watch) -> tuple[NamedPrediction, float]:
    started = time.perf_counter()
    try:
        with watch.note_suspect(path):
            prediction = classifier.predict(path)
    except UnreadableImage as error:
        prediction = failed_prediction(str(error))
    return NamedPrediction(name, prediction), time.perf_counter() - started


def process_seconds() -> float:
    """Seconds since this process was started, start-up of the interpreter included."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        import os

        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        return time.process_time()
