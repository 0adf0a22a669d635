"""Predictions as lines of JSON, as `leansort predict --format json` writes them, and read back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import cast

from pydantic import JsonValue

from leansort.core.errors import UserError
from leansort.core.files.bundle_cascade import GRAPHS
from leansort.core.text.text_files import parse_json
from leansort.runtime.drift.image_statistics import ImageStatistics
from leansort.runtime.predictor import Prediction, failed_prediction

Record = dict[str, JsonValue]
MOST_CHARACTERS = 1 << 20  # of a line
_STATISTICS = tuple(field.name for field in fields(ImageStatistics))


def prediction_record(image: str, prediction: Prediction, labels: Sequence[str]) -> Record:
    """Return what a line holds: for an image that could not be classified its `error` alone."""
    if prediction.error:
        return {"image": image, "error": prediction.error}
    novelty: Record = {}
    if prediction.novelty is not None:
        novelty = {"known": prediction.known, "novelty": round(prediction.novelty, 6)}
    probabilities = dict(zip(labels, (round(p, 6) for p in prediction.probabilities), strict=True))
    statistics: Record = {"statistics": asdict(prediction.statistics)} if prediction.statistics else {}
    return {
        "image": image,
        "label": prediction.label,
        "probability": round(prediction.probability, 6),
        "accepted": prediction.accepted,
        **novelty,
        **({} if prediction.cost is None else {"cost": round(prediction.cost, 6)}),
        **({"graph": prediction.graph} if prediction.graph else {}),
        "probabilities": cast(Record, probabilities),
        **statistics,
    }


def parse_prediction(line: str, labels: Sequence[str], where: str) -> tuple[str, Prediction, Record]:
    """Read a line.

    Args:
        line: the JSON.
        labels: the classes that were told apart.
        where: names its place in the error.

    Returns:
        The image's name, the prediction, and the whole record.

    Raises:
        UserError: it is cut short, no JSON, or no prediction of these classes.
    """
    if len(line) > MOST_CHARACTERS:
        raise UserError(f"{where}: has {len(line):,} characters, at most {MOST_CHARACTERS:,} are read")
    tree = parse_json(line, where)
    if not isinstance(tree, dict) or not isinstance(image := tree.get("image"), str):
        raise UserError(f"{where}: need an object with an image, as leansort predict --format json writes it")
    if "error" in tree:
        return image, failed_prediction(str(tree["error"])), tree
    label, held = tree.get("label"), tree.get("probabilities")
    if not isinstance(held, dict) or label not in labels or set(held) != set(labels):
        raise UserError(f"{where}: need a label and probabilities of the classes {', '.join(labels)}")
    novelty = _number(tree.get("novelty"), f"{where}: novelty", 1e30) if "novelty" in tree else None
    return (
        image,
        Prediction(
            label=str(label),
            probability=_number(tree.get("probability"), f"{where}: probability"),
            accepted=bool(tree.get("accepted")),
            probabilities=tuple(_number(held[name], f"{where}: probabilities.{name}") for name in labels),
            novelty=novelty,
            known=None if novelty is None else novelty <= 1.0,
            cost=_number(tree["cost"], f"{where}: cost", 1e30) if "cost" in tree else None,
            statistics=_statistics(tree.get("statistics"), where),
            graph=_graph(tree.get("graph", ""), where),
        ),
        tree,
    )


def _graph(value: object, where: str) -> str:
    if value not in ("", *GRAPHS):
        raise UserError(f"{where}: graph: got {value!r:.60}, allowed: {', '.join(GRAPHS)}")
    return str(value)


def _statistics(tree: object, where: str) -> ImageStatistics | None:
    if tree is None:
        return None
    if not isinstance(tree, dict) or any(name not in tree for name in _STATISTICS):
        raise UserError(f"{where}: statistics: need {', '.join(_STATISTICS)}")
    size = tree["size"]
    brightness, sharpness, warmth, tint = (
        _number(tree[name], f"{where}: statistics.{name}", 1e9, -1e9) for name in _STATISTICS[:4]
    )
    side = None if size is None else round(_number(size, f"{where}: statistics.size", 1e9))
    return ImageStatistics(brightness, sharpness, warmth, tint, side)


def _number(value: object, where: str, most: float = 1.0, least: float = 0.0) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{where}: got {value!r:.60}, need a number")
    if not least <= value <= most:
        raise UserError(f"{where}: got {value!r:.60}, need {least:g} to {most:g}")
    return float(value)
