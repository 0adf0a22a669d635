"""`leansort run RECIPE`: data, train, compress, export, bench, submit, score, report - the main job, end to end."""

from __future__ import annotations

from pathlib import Path

from leansort.arch.trained_model import TrainedModel
from leansort.core import bundle as bundles
from leansort.core import manifest as manifests
from leansort.core.errors import UserError
from leansort.core.files.typed_result import JsonObject
from leansort.core.manifest import Manifest
from leansort.core.process.distributed import is_distributed
from leansort.core.run_folder import RunFolder
from leansort.core.writing import atomic_io
from leansort.measure.accuracy.calibration import Calibration
from leansort.recipe.load import validate_recipe
from leansort.recipe.schema import Recipe
from leansort.workflows.compression.compress import compress, read_steps, require_steps_for_recipe
from leansort.workflows.data.import_data import import_data, warn
from leansort.workflows.data.resume_check import require_same_import
from leansort.workflows.data.stressed.stressed_val import stressed_val
from leansort.workflows.data.unknown_photos import require_unknown_folder
from leansort.workflows.deploy.export import export_bundle
from leansort.workflows.finishing.finish import FINISHING, finish
from leansort.workflows.finishing.run_result import RunResult
from leansort.workflows.stages.stage_graph import in_turn, open_stages
from leansort.workflows.training.quick.probe_result import read_probe
from leansort.workflows.training.teacher_recipes import teacher_paths
from leansort.workflows.training.train import exportable, run_callbacks, train_model


def run(recipe: Recipe, out: Path, *, resume: bool = False) -> RunResult:
    """Do the whole job of a recipe.

    Args:
        recipe: the resolved recipe.
        out: the run folder; see `core.run_folder.RunFolder` for what lies in it afterwards.
        resume: go on with an interrupted run in `out`.

    Raises:
        UserError: `out` holds another run, or the data cannot be used.
    """
    if is_distributed():
        raise UserError("run: exports, times and scores in one process; start leansort train by torchrun")
    read_steps(recipe)
    require_unknown_folder(recipe.export.unknown, "export.unknown")
    if not resume:
        exportable(recipe)
    folder = RunFolder(out)
    kept = _opened(recipe, folder, resume)
    bundle_stage = "compress" if recipe.compress.steps else "export"
    with open_stages(folder, "run", in_turn("import", "train", bundle_stage, *FINISHING)) as stages:
        with stages.stage("import"):
            manifest = _manifest(recipe, folder, kept)
        require_steps_for_recipe(recipe, manifest.labels)
        if recipe.compress.stress:  # what does not suit the data is refused before the training
            stressed_val(recipe.compress.stress, manifest, recipe.preprocess, folder.cache, "compress.stress")
        training = folder.training
        with stages.stage("train"):
            callbacks = run_callbacks(recipe, recipe.name, training.path, tracker="")
            model = train_model(recipe, manifest, training.path, resume=resume, callbacks=callbacks, teachers_in=out)
        with stages.stage(bundle_stage):
            calibration = deploy(recipe, model, manifest, folder)
        result = finish(recipe, manifest, folder, stages, calibration)
    return result.model_copy(update={"probe": read_probe(training, manifest.digest)})


def _opened(recipe: Recipe, folder: RunFolder, resume: bool) -> bool:
    """Open the folder of a run; return whether it holds the run's data already.

    Raises:
        UserError: it holds another run, or files of the data changed.
    """
    out = folder.path
    if resume and folder.manifest.exists():
        if recipe.to_json() != (kept := folder.recipe.read(JsonObject, "resume")):
            validate_recipe(kept, f"in {out}")  # an older one may have keys that were renamed
            raise UserError(f"resume: {out} was started with another recipe; start a new run with --out")
        require_same_import(recipe.data, out)
        return True
    probed = folder.training.probe.exists() and not folder.training.checkpoint.exists()
    atomic_io.new_folder(out, "run", reuse=resume or probed, resumable=True)
    folder.recipe.write(recipe.to_json())
    return False


def _manifest(recipe: Recipe, folder: RunFolder, kept: bool) -> Manifest:
    if not kept:
        return import_data(recipe.data, folder.path, seed=recipe.seed)
    manifest = manifests.load(folder.manifest)
    warn(manifest)
    return manifest


def deploy(
    recipe: Recipe, model: TrainedModel, manifest: Manifest, folder: RunFolder, cache: Path | None = None
) -> Calibration:
    """Write a run's bundle: what the recipe's passes make of the network, or without any the network itself.

    Args:
        recipe: the run's.
        model: the trained network.
        manifest: the data.
        folder: the run's; gets the bundle, its calibration, and where there are no passes its parity.
        cache: folder of decoded crops; None: that of the run.
    """
    if recipe.compress.steps:
        place, teachers = folder.compression.path, teacher_paths(recipe, folder.path)
        training = folder.training.path
        calibration = compress(
            recipe, model, manifest, place, cache=cache or folder.cache, teachers=teachers, training=training
        ).calibration
        bundles.load(folder.compression.bundle).save(folder.bundle)
    else:
        result = export_bundle(
            model,
            manifest,
            folder.bundle,
            name=recipe.name,
            graph_format=recipe.export.format,
            target_error=recipe.export.target_error,
            unknown=recipe.export.unknown,
            unknown_share=recipe.export.unknown_share,
        )
        assert result.calibration is not None  # it was calibrated: only what is converted keeps another's
        calibration = result.calibration
        folder.parity.write(result.parity)
    folder.calibration.write(calibration)
    return calibration
