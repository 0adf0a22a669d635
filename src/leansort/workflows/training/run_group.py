"""Several trainings in one folder: the data they share, and what tells a finished one from a broken one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.files.typed_result import JsonObject
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.process.distributed import is_first_process
from leansort.core.run_folder import GroupFolder, TrainingFolder
from leansort.recipe.schema import Recipe
from leansort.train.callbacks import EpochRecord
from leansort.workflows.data.import_data import data_for
from leansort.workflows.training.train import exportable, import_once, run_callbacks, train_model
from leansort.workflows.training.training_results import TrainingResult


@dataclass(frozen=True)
class RunGroup:
    """What all runs of a folder share.

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
        resume = TrainingFolder(folder).checkpoint.exists()
        callbacks = run_callbacks(recipe, f"{recipe.name}/{name}", folder, self.tracker)
        model = train_model(recipe, own, folder, resume=resume, cache=self.cache, callbacks=callbacks)
        known = model.provenance
        return write_result(recipe, own, folder, name, val_macro_f1=known["val_macro_f1"], epoch=known["epoch"])


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
    folder = GroupFolder(out)
    if resume and folder.recipe.exists() and folder.recipe.read(JsonObject, "resume") != recipe.to_json():
        raise UserError(f"resume: {out} was begun with another recipe; name another folder with --out")
    if not resume and is_first_process() and out.is_dir() and any(out.iterdir()):
        raise UserError(f"train: {out} is not empty; go on with --resume or name another folder with --out")
    if not resume:
        exportable(recipe)
    rows = data_for(recipe, out, manifest, resume=resume, import_into=import_once)
    if is_first_process():
        folder.recipe.write(recipe.to_json())
    return RunGroup(out, rows, cache or folder.cache, tracker)


def read_result(folder: Path, recipe: Recipe, manifest: Manifest) -> TrainingResult | None:
    """The result of a finished run; None where it is not.

    Raises:
        UserError: it has another recipe or other data.
        IntegrityError: it was written by another version.
    """
    kept = TrainingFolder(folder).result.read_if_there(TrainingResult, "result")
    if kept and (kept.recipe, kept.data) != (recipe.digest, manifest.digest):
        raise UserError(f"resume: {folder} was trained with another recipe or other data; remove it or change --out")
    return kept


def read_history(folder: Path) -> list[EpochRecord]:
    """A run's epochs.

    Raises:
        UserError: they cannot be read, or are not what was written.
    """
    return [dict(item) for item in TrainingFolder(folder).history.read(dict[str, int | float], "run")]


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """The recipe with another seed."""
    return recipe.model_copy(update={"seed": seed})


def write_result(
    recipe: Recipe,
    manifest: Manifest,
    folder: Path,
    name: str,
    *,
    val_macro_f1: float | None = None,
    epoch: int | None = None,
) -> TrainingResult:
    """Write the result of a run whose training is over.

    Args:
        recipe: the run's own.
        manifest: the data it was trained on.
        folder: of the run.
        name: of the run.
        val_macro_f1: of the epoch that was kept; None where val was trained on.
        epoch: the one that was kept, from 1; None: the last one.
    """
    epochs = read_history(folder)
    result = TrainingResult(
        name=name,
        seed=recipe.seed,
        recipe=recipe.digest,
        data=manifest.digest,
        epochs=len(epochs),
        seconds=sum(record["seconds"] for record in epochs),
        val_macro_f1=val_macro_f1,
        epoch=epoch or len(epochs),
    )
    TrainingFolder(folder).result.write(result)
    return result
