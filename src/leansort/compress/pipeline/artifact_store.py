"""How artifacts lie in folders, so that an interrupted pipeline goes on from what is there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import (
    Any,
    Literal,
    NotRequired,  # pydantic needs these before Python 3.12
)

from typing_extensions import TypedDict

from leansort.arch import trained_model
from leansort.arch.trained_model import TrainedModel
from leansort.compress.passes_api import Artifact, Stage
from leansort.compress.pipeline.accuracy_budget import BudgetVerdict
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.files import atomic_io, json_documents

MODEL, BUNDLE = "model.safetensors", "model.leansort"
_KEY = "begun.json"


class CutNote(TypedDict):
    """`cut.json`: what a pass said of its cut."""

    __pydantic_config__ = json_documents.OPEN  # type: ignore[misc]

    notes: dict[str, Any]
    left_alone: str


class Tried(TypedDict):
    """One try of a step."""

    __pydantic_config__ = json_documents.OPEN  # type: ignore[misc]

    fraction: float
    state: str
    reason: str


# `step.json`; `pass` is a word of Python's, so the fields are named in a call.
StepRecord = TypedDict(
    "StepRecord",
    {
        "name": str, "pass": str, "state": Literal["accepted", "refused", "left alone"], "reason": str,
        "verdict": NotRequired[BudgetVerdict | None], "tries": list[Tried],
    },
)  # fmt: skip
StepRecord.__pydantic_config__ = json_documents.OPEN  # type: ignore[attr-defined]


def step_record(path: Path) -> dict[str, Any]:
    """Read a finished step's `step.json`, as plain data.

    Raises:
        UserError: it cannot be read.
        IntegrityError: it is not what was written.
    """
    result = dict(json_documents.read(path, StepRecord, "step"))
    verdict = result.get("verdict")
    return {**result, "verdict": verdict.to_json()} if isinstance(verdict, BudgetVerdict) else result


def open_step_folder(folder: Path, key: str) -> Path:
    """Give a step's folder; what it holds of a step with another key is removed first."""
    path = folder / _KEY
    if not path.exists() or json_documents.read(path, str, "step") != key:
        shutil.rmtree(folder, ignore_errors=True)
        atomic_io.write_json(path, key)
    return folder


def save(artifact: Artifact, folder: Path) -> None:
    """Write an artifact under the name of its kind."""
    folder.mkdir(parents=True, exist_ok=True)
    artifact.save(folder / (BUNDLE if isinstance(artifact, Bundle) else MODEL))


def load(folder: Path, stage: Stage) -> Artifact:
    """Read what `save` wrote."""
    return bundles.load(folder / BUNDLE) if stage == "graph" else trained_model.load(folder)


def bundle_for(artifact: Artifact, folder: Path, export: Callable[[TrainedModel], Bundle]) -> Bundle:
    """The bundle of an artifact: itself, or the one kept in `folder`, or a new export that is kept there."""
    if isinstance(artifact, Bundle):
        return artifact
    path = folder / BUNDLE
    if not path.exists():
        export(artifact).save(path)
    return bundles.load(path)


def digest(model: TrainedModel) -> str:
    """Of a network's architecture and weights."""
    with atomic_io.scratch() as folder:
        model.save(folder / MODEL)
        return atomic_io.sha256((folder / MODEL).read_bytes())[:16]
