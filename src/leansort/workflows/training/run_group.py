"""Several trainings in one folder: the data they share, and what tells a finished one from a broken one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leansort.core.errors import IntegrityError, UserError
from leansort.core.files import atomic_io, json_documents
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.process.distributed import is_first_process
from leansort.core.run_folder import TrainingFolder
from leansort.recipe.schema import Recipe
from leansort.workflows.data.import_data import data_for
from leansort.workflows.training.train import exportable, import_once, run_callbacks, train_model

_VERSION = 1


@dataclass(frozen=True)
class TrainingResult:
    """What a finished run came to; written last, so that a run that has it is whole.

    Attributes:
        version: of this schema.
        name: of the run, and its folder in the results' folder.
        seed: that it was trained with.
        recipe: digest of the resolved recipe.
        data: digest of the manifest, its splits included.
        val_macro_f1: of the best epoch; None where val was trained on.
        epoch: the one that was kept.
        epochs: how many were trained.
        seconds: that they took.
    """

    version: int
    name: str
    seed: int
    recipe: str
    data: str
    val_macro_f1: float | None
    epoch: int
    epochs: int
    seconds: float


@dataclass(frozen=True)
class RunGroup:
    """What all runs of a folder fraction.

    Attributes:
        out: the folder.
        manifest: the data.
        cache: folder of decoded crops.
        tracker: name of the tracker that follows each run; empty for none.
    """

    out: Path
    manifest: Manifest
    cache: Path
    tracker: str = ""

    def trained(self, recipe: Recipe, name: str, manifest: Manifest | None = None) -> TrainingResult:
        """The result of a run: the kept one where it is finished, else what training, or going on, comes to.

        Args:
            recipe: the run's own.
            name: of the run.
            manifest: the run's own; None: the shared one.

        Raises:
            UserError: a finished run of this name has another recipe or other data.
        """
        own, folder = manifest or self.manifest, self.out / name
        kept = read_result(folder, recipe, own)
        if kept:
            say(f"run {name}: finished before")
            return kept
        say(f"run {name}:")
        resume = (folder / "last.safetensors").exists()
        callbacks = run_callbacks(recipe, f"{recipe.name}/{name}", folder, self.tracker)
        model = train_model(recipe, own, folder, resume=resume, cache=self.cache, callbacks=callbacks)
        return write_result(recipe, own, folder, name, model.provenance)


def open_run_group(
    recipe: Recipe,
    out: Path,
    *,
    manifest: Path | None = None,
    cache: Path | None = None,
    resume: bool = False,
    tracker: str = "",
) -> RunGroup:
    """Open a folder for several runs; the recipe is written once its data are there.

    Args:
        recipe: the one that all runs come from.
        out: the folder.
        manifest: the data; None imports those of the recipe.
        cache: folder of decoded crops; None: `cache` in `out`.
        resume: go on with what is in `out`.
        tracker: name of the tracker that follows each run; empty for none.

    Raises:
        UserError: `out` is not empty and `resume` not set, it was begun with another recipe, or its
            network cannot be exported.
    """
    path = out / "recipe.json"
    if resume and path.exists() and json_documents.read(path, dict[str, Any], "resume") != recipe.to_json():
        raise UserError(f"resume: {out} was begun with another recipe; name another folder with --out")
    if not resume and is_first_process() and out.is_dir() and any(out.iterdir()):
        raise UserError(f"train: {out} is not empty; go on with --resume or name another folder with --out")
    if not resume:
        exportable(recipe)
    rows = data_for(recipe, out, manifest, resume=resume, import_into=import_once)
    if is_first_process():
        atomic_io.write_json(path, recipe.to_json())
    return RunGroup(out, rows, cache or out / "cache", tracker)


def read_result(folder: Path, recipe: Recipe, manifest: Manifest) -> TrainingResult | None:
    """The result of a finished run; None where it is not.

    Raises:
        UserError: it has another recipe or other data.
        IntegrityError: it was written by another version.
    """
    path = folder / "result.json"
    if not path.exists():
        return None
    json_document = json_documents.read(path, TrainingResult, "result")
    if json_document.version != _VERSION:
        raise IntegrityError(f"result: {path} is no result of version {_VERSION}, which this leansort reads")
    if (json_document.recipe, json_document.data) != (recipe.digest, manifest.digest):
        raise UserError(f"resume: {folder} was trained with another recipe or other data; remove it or change --out")
    return json_document


def read_history(folder: Path) -> list[dict[str, Any]]:
    """A run's epochs.

    Raises:
        UserError: they cannot be read, or are not what was written.
    """
    return [dict(item) for item in TrainingFolder(folder).history.read(dict[str, int | float | None], "run")]


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """The recipe with another seed."""
    return recipe.model_copy(update={"seed": seed})


def write_result(recipe: Recipe, manifest: Manifest, folder: Path, name: str, judged: dict[str, Any]) -> TrainingResult:
    """Write the result of a run whose training is over; `judged` is what val said of it, if anything."""
    epochs = read_history(folder)
    result = TrainingResult(
        version=_VERSION,
        name=name,
        seed=recipe.seed,
        recipe=recipe.digest,
        data=manifest.digest,
        epochs=len(epochs),
        seconds=sum(epoch["seconds"] for epoch in epochs),
        val_macro_f1=judged.get("val_macro_f1"),
        epoch=judged.get("epoch", len(epochs)),
    )
    atomic_io.write_json(folder / "result.json", asdict(result))
    return result
