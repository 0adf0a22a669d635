"""How artifacts lie in folders, so that an interrupted pipeline goes on from what is there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from leansort.arch import trained_model
from leansort.arch.trained_model import TrainedModel
from leansort.compress.passes_api import Artifact, Stage
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.run_folder import ModelFolder, StepFolder
from leansort.core.writing import atomic_io


def open_step_folder(folder: StepFolder, key: str) -> StepFolder:
    """Give a step's folder; what it holds of a step with another key is removed first.

    Args:
        folder: of the step.
        key: digest of all that the step rests on.
    """
    if not folder.key.exists() or folder.key.read(str, "step") != key:
        shutil.rmtree(folder.path, ignore_errors=True)
        folder.key.write(key)
    return folder


def save(artifact: Artifact, folder: Path) -> None:
    """Write an artifact under the name of its kind."""
    folder.mkdir(parents=True, exist_ok=True)
    files = ModelFolder(folder)
    artifact.save(files.bundle if isinstance(artifact, Bundle) else files.model)


def load(folder: Path, stage: Stage) -> Artifact:
    """Read what `save` wrote."""
    return bundles.load(ModelFolder(folder).bundle) if stage == "graph" else trained_model.load(folder)


def bundle_for(artifact: Artifact, folder: Path, export: Callable[[TrainedModel], Bundle]) -> Bundle:
    """The bundle of an artifact: itself, or the one kept in `folder`, or a new export that is kept there."""
    if isinstance(artifact, Bundle):
        return artifact
    path = ModelFolder(folder).bundle
    if not path.exists():
        export(artifact).save(path)
    return bundles.load(path)


def digest(model: TrainedModel) -> str:
    """Of a network's architecture and weights."""
    return atomic_io.sha256(model.to_bytes())[:16]
