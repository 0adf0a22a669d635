"""The numbers of a prediction that are watched, by the names of their statistics."""

from __future__ import annotations

from leansort.core.files.bundle_reference import StatisticName
from leansort.runtime.predictor import Prediction


def values_of(prediction: Prediction) -> dict[StatisticName, float | None]:
    """Return the statistics of a prediction without an error, rounded as they are written."""
    novelty = prediction.novelty
    values: dict[StatisticName, float | None] = {
        "confidence": round(max(prediction.probabilities), 6),  # whatever costs decide
        "novelty": None if novelty is None else round(novelty, 6),
    }
    look = prediction.statistics
    if look is not None:  # one by one: `asdict` takes as long as all the rest
        values["brightness"], values["sharpness"] = look.brightness, look.sharpness
        values["warmth"], values["tint"], values["size"] = look.warmth, look.tint, look.size
    return values


def most_probable(prediction: Prediction) -> int:
    """Index of the most probable class, which costs may keep from being the label."""
    return max(range(len(prediction.probabilities)), key=prediction.probabilities.__getitem__)
