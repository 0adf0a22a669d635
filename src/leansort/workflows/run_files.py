"""What the files of a run folder hold, for those who read them again: a folder may have come from anybody."""

from __future__ import annotations

from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,  # pydantic needs these before Python 3.12
)

from pydantic import Field
from typing_extensions import TypedDict

from leansort.core.errors import IntegrityError
from leansort.core.files import json_documents
from leansort.measure.accuracy.calibration import Calibration
from leansort.measure.accuracy.metrics import ClassScore, Interval
from leansort.measure.measurement import Measurement

Count = Annotated[int, Field(ge=0)]
Epoch = dict[str, int | float | None]


class Part(TypedDict):
    """What `score.json` says of one list of pictures."""

    __pydantic_config__ = json_documents.OPEN  # type: ignore[misc]

    crops: Count
    macro_f1: Interval
    classes: Annotated[list[ClassScore], Field(min_length=1)]
    confusion: list[list[Count]]


class ContestRow(TypedDict):
    """One score of the contest."""

    __pydantic_config__ = json_documents.OPEN  # type: ignore[misc]

    edition: str
    list: str
    f1: float
    cost: float
    unit: str
    score: float


class Lists(TypedDict):
    """The parts by list; `all` is always there."""

    __pydantic_config__ = json_documents.OPEN  # type: ignore[misc]

    all: Part


class Scored(TypedDict):
    """`score.json`."""

    __pydantic_config__ = json_documents.OPEN  # type: ignore[misc]

    split: Literal["train", "val", "test"]
    lists: Lists
    contest: list[ContestRow]
    faults: list[str]


class Timed(TypedDict):
    """`bench.json`."""

    __pydantic_config__ = json_documents.OPEN  # type: ignore[misc]

    measurements: list[Measurement]
    warning: str


class Named(TypedDict):
    """`recipe.json`, of which a report needs no more."""

    __pydantic_config__ = json_documents.OPEN  # type: ignore[misc]

    name: str
    title: NotRequired[str]


def scored(run: Path, what: str) -> Scored:
    """Read a run's `score.json`.

    Raises:
        UserError: it cannot be read.
        IntegrityError: it is not what was written.
    """
    path = run / "score.json"
    json_document = json_documents.read(path, Scored, what)
    part = json_document["lists"]["all"]
    size = len(part["classes"])
    if [len(row) for row in part["confusion"]] != [size] * size:
        raise IntegrityError(f"{what}: {path}: lists.all.confusion: need {size} rows of {size} counts, one a class")
    return json_document


def timed(run: Path, what: str) -> Timed:
    """Read a run's `bench.json`; as `scored`."""
    path = run / "bench.json"
    json_document = json_documents.read(path, Timed, what)
    for number, item in enumerate(json_document["measurements"]):
        if item.percentiles and not {"p50", "p90", "p99"} <= set(item.percentiles):
            raise IntegrityError(f"{what}: {path}: measurements.{number}.percentiles: need p50, p90 and p99, or none")
    return json_document


def calibration(run: Path, what: str) -> dict[str, Any]:
    """Read a run's `calibration.json`, as plain data; empty where there is none."""
    path = run / "calibration.json"
    return json_documents.read(path, Calibration, what).to_json() if path.is_file() else {}


def history(path: Path, what: str) -> list[Epoch]:
    """Read a training's `metrics.jsonl`: one record an epoch."""
    return json_documents.read_lines(path, Epoch, what)
