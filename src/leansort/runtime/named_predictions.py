"""Predictions with the names of their images, kept in a file so that no image is classified twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leansort.core.errors import IntegrityError
from leansort.core.files.typed_files import JsonLinesFile
from leansort.runtime.predictor import Prediction


@dataclass(frozen=True)
class NamedPrediction:
    """What the classifier predicts for one image.

    Attributes:
        image: what the image is called in a submission and in the ground truth.
        prediction: label and probabilities; `error` is set where the image could not be classified.
    """

    image: str
    prediction: Prediction


def save(predictions: Iterable[NamedPrediction], path: Path) -> None:
    """Write predictions, one JSON object a line."""
    JsonLinesFile(path.parent, path.name).write(predictions)


def load(path: Path, labels: Sequence[str], what: str) -> Mapping[str, Prediction]:
    """Read predictions by image.

    Args:
        path: what `save` wrote.
        labels: the classes that were told apart.
        what: names the work in errors.

    Raises:
        UserError: the file cannot be read.
        IntegrityError: it is not what was written.
    """
    result = {item.image: item.prediction for item in JsonLinesFile(path.parent, path.name).read(NamedPrediction, what)}
    for image, prediction in result.items():
        whole = prediction.label in labels and len(prediction.probabilities) == len(labels)
        if not prediction.error and not whole:
            raise IntegrityError(
                f"{what}: {path}: {image}: need a label of {', '.join(labels)}, and a probability for each"
            )
    return result
