"""`leansort train`: a manifest and a recipe in, a trained model out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from leansort.arch.analysis.summary import require_input_size
from leansort.arch.build import BuiltNetwork
from leansort.arch.pretrained import key_map, matching, weight_loader
from leansort.arch.pretrained.matching import WeightMatch
from leansort.arch.pretrained.weight_origin import content_digest, packs_behind
from leansort.arch.pretrained.weight_pack import find_pack, is_pack
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.core import manifest as manifests
from leansort.core import provenance
from leansort.core.errors import UserError
from leansort.core.files.typed_result import JsonObject
from leansort.core.manifest import Manifest
from leansort.core.preprocess import Preprocess
from leansort.core.process.console import say
from leansort.core.process.distributed import is_distributed, is_first_process
from leansort.core.run_folder import RunFolder, TrainingFolder
from leansort.core.seeds import Seeds
from leansort.data.importing.class_selection import require_learnable
from leansort.data.loading.crops import Crops
from leansort.measure.accuracy.metrics import coverage
from leansort.recipe.data_section import keep_classes
from leansort.recipe.schema import Recipe
from leansort.train import checkpoint, trackers
from leansort.train.callbacks import TrainingCallback
from leansort.train.distillation import teachers
from leansort.train.hardware.device import devices
from leansort.train.job import TrainingJob
from leansort.train.loop import train
from leansort.train.progress_display import ProgressDisplay
from leansort.workflows.data.cache import decoded_crops
from leansort.workflows.data.import_data import data_for, import_data
from leansort.workflows.data.training_covers import training_covers
from leansort.workflows.data.unlabelled_import import UnlabelledRecord, find_unlabelled, load_unlabelled
from leansort.workflows.training import teacher_recipes
from leansort.workflows.training.built_network import build_network
from leansort.workflows.training.export_check import require_exportable
from leansort.workflows.training.quick.probe_result import read_probe
from leansort.workflows.training.training_results import SingleTrainingResult


def train_once(
    recipe: Recipe,
    out: Path,
    *,
    manifest: Path | None = None,
    cache: Path | None = None,
    resume: bool = False,
    tracker: str = "",
) -> SingleTrainingResult:
    """Import a recipe's data into `out` and train on them, or on those of `manifest`, in `out/train`."""
    folder = RunFolder(out).training.path
    _require_free(folder, resume)
    if manifest:
        manifests.manifest_file(manifest)  # a wrong name is told at once, not when the network has been looked at
    if not resume:
        exportable(recipe)
    rows = data_for(recipe, out, manifest, resume=resume, import_into=import_once)
    callbacks = run_callbacks(recipe, recipe.name, folder, tracker)
    model = train_model(recipe, rows, folder, resume=resume, cache=cache, callbacks=callbacks, teachers_in=out)
    known = model.provenance
    over = coverage(rows.labels.names, rows.counts("val")).describe("val")
    return SingleTrainingResult(
        val_macro_f1=known["val_macro_f1"],
        macro_f1_classes=over,
        epoch=known["epoch"],
        folder=str(folder),
        probe=read_probe(TrainingFolder(folder), rows.digest),
    )


def _require_free(folder: Path, resume: bool) -> None:
    if TrainingFolder(folder).checkpoint.exists() and not resume:
        raise UserError(f"train: {folder} holds a run already; go on with --resume or name another folder with --out")


def import_once(recipe: Recipe, out: Path) -> Manifest:
    """Import a recipe's data into `out`, once, however many processes there are."""
    if not is_distributed():
        return import_data(recipe.data, out, seed=recipe.seed)
    fabric = devices(recipe.train)
    if fabric.is_global_zero:
        import_data(recipe.data, out, seed=recipe.seed)
    fabric.barrier()
    return manifests.load(out)


def train_model(
    recipe: Recipe,
    manifest: Manifest,
    folder: Path,
    *,
    resume: bool = False,
    cache: Path | None = None,
    callbacks: Sequence[TrainingCallback] = (),
    built: BuiltNetwork | None = None,
    teachers_in: Path | None = None,
) -> TrainedModel:
    """Train what a recipe says on a manifest.

    Args:
        recipe: the resolved recipe; dumped into `folder`.
        manifest: the data.
        folder: gets the model, checkpoints and metrics.
        resume: go on from the last checkpoint in `folder`.
        cache: folder of decoded crops; None: `cache` beside `folder`.
        callbacks: follow the training; opened once it is about to begin.
        built: the recipe's network for the manifest's classes, which the training takes over; None builds it.
        teachers_in: folder below which the recipe's teachers are trained first; None: `folder`.

    Raises:
        UserError: `folder` holds another run, no crop in train shows a class that is not kept by name, `resume` finds
            a run of another recipe, the network cannot be exported, or it does not take a size that `train.grow_from`
            begins with.
    """
    _require_free(folder, resume)
    if recipe.train.freeze_norms and recipe.arch.pretrained is None:
        raise UserError("train.freeze_norms keeps the statistics of pretrained weights; name some in arch.pretrained")
    require_learnable(manifest, keep_classes(recipe.data))
    go_on, resume = resume, resume and TrainingFolder(folder).checkpoint.exists()  # stopped early it left none
    built = built or build_network(recipe, len(manifest.labels))
    if not resume:
        require_exportable(built.spec, recipe, built)
    cache = cache or folder.parent / "cache"
    unlabelled = _unlabelled(recipe, manifest, folder, resume=resume)
    taught_by = _teachers(recipe, manifest, teachers_in or folder, cache, resume=go_on)
    job = _job(recipe, manifest, cache, built.spec, taught_by, unlabelled)
    for size in sorted({job.size(epoch) for epoch in range(job.config.epochs)} - {job.preprocess.size}):
        require_input_size(built.network, size)
    if resume:  # before the folder's recipe is written over
        checkpoint.require(TrainingFolder(folder).checkpoint, job.identity)
    if is_first_process():
        TrainingFolder(folder).recipe.write(recipe.to_json())
    if not resume:
        _tell(_load_pretrained(built.network, recipe), recipe, folder)
    more = f", {len(job.unlabelled)} photos without labels" if job.unlabelled is not None else ""
    say(f"train: {recipe.arch.base} on {len(job.train.labels)} crops{more}, {len(job.val.labels)} val crops")
    given = teachers.load(taught_by, manifest.labels, hints=recipe.distill.hints > 0, threads=recipe.train.threads or 1)
    return train(job, folder, network=built.network, teachers=given, resume=resume, callbacks=callbacks)


def run_callbacks(recipe: Recipe, run: str, folder: Path, tracker: str) -> list[TrainingCallback]:
    """What follows a run that a person has asked for: the display, and the tracker where one is named.

    Args:
        recipe: the run's own.
        run: names the run.
        folder: the run's own.
        tracker: its name; empty for none.

    Raises:
        UserError: there is no such tracker, or its file is wrong.
        MissingExtraError: its library is not installed.
    """
    return [ProgressDisplay(recipe.train.epochs), *trackers.follow(tracker, run, folder, recipe.to_json())]


def buildable_spec(recipe: Recipe, classes: int) -> ArchSpec:
    """The spec of a recipe's network, once it has been built and run on a picture of the recipe's size.

    Raises:
        UserError: there is no such network, or it does not take that size.
    """
    return build_network(recipe, classes).spec


def exportable(recipe: Recipe) -> None:
    """Refuse a network that cannot be built, or built and not exported, before data are read and hours are spent.

    Raises:
        UserError: there is no such network, it does not take the recipe's size, its export fails or differs, the
            pretrained weights are not at hand or do not fit, or any of that is so of a teacher that is trained first.
    """
    for teacher in teacher_recipes.resolve_teachers(recipe):
        exportable(teacher)
    built = build_network(recipe, classes=2)
    _load_pretrained(built.network, recipe)
    require_exportable(built.spec, recipe)


def _load_pretrained(network: nn.Module, recipe: Recipe) -> WeightMatch | None:
    """Load the pretrained weights that a recipe names, if it names any, into its network."""
    source, names = recipe.arch.pretrained, recipe.arch.pretrained_key_map
    if source is None:
        return None
    key_names = key_map.read_key_map(names) if names else None
    return weight_loader.load_pretrained(network, source, key_names, base=recipe.arch.base)


def _tell(pretrained: WeightMatch | None, recipe: Recipe, folder: Path) -> None:
    """Say how pretrained weights fitted, and list it tensor by tensor."""
    source = recipe.arch.pretrained
    if pretrained is None or source is None:
        return
    listed = TrainingFolder(folder).pretrained
    if is_first_process():
        listed.write(pretrained.to_json())
    say(f"weights: {source}: {matching.match_summary(pretrained)}; tensor by tensor in {listed}")
    if is_pack(source) and (warning := find_pack(source).other_statistics(recipe.preprocess)):
        say(f"warning: {warning}")


def _unlabelled(recipe: Recipe, manifest: Manifest, folder: Path, *, resume: bool) -> UnlabelledRecord | None:
    """The photos without labels that a recipe names, if any."""
    source = recipe.distill.unlabelled
    return find_unlabelled(source, manifest, TrainingFolder(folder), resume=resume) if source else None


def _teachers(recipe: Recipe, manifest: Manifest, place: Path, cache: Path, *, resume: bool) -> list[Path]:
    """Where a recipe's teachers are, once those are trained that it trains itself."""
    if recipe.distill.teacher_recipes:
        teachers.require_same_classes(recipe.distill.teachers, manifest.labels)

    def train_one(teacher: Recipe, folder: Path) -> TrainedModel:
        callbacks = [ProgressDisplay(teacher.train.epochs)]
        return train_model(teacher, manifest, folder, resume=resume, cache=cache, callbacks=callbacks)

    teacher_recipes.train_teachers(recipe, place, train_one)
    return teacher_recipes.teacher_paths(recipe, place)


def _job(
    recipe: Recipe,
    manifest: Manifest,
    cache: Path,
    spec: ArchSpec,
    taught_by: Sequence[Path],
    unlabelled: UnlabelledRecord | None,
) -> TrainingJob:
    more = load_unlabelled(unlabelled, recipe.train_preprocess, cache) if unlabelled else None
    objects = training_covers(recipe.augment, manifest, recipe.train_preprocess, cache)
    return TrainingJob(
        spec=spec,
        preprocess=recipe.preprocess,
        labels=manifest.labels,
        train=load_crops(manifest, "train", recipe.train_preprocess, cache),
        val=load_crops(manifest, "val", recipe.preprocess, cache),
        config=recipe.train,
        augment=recipe.augment,
        distill=recipe.distill,
        seeds=Seeds(recipe.seed),
        provenance={
            **provenance.provenance(recipe=recipe.digest, data=manifest.digest, seed=recipe.seed),
            **_learned_from(recipe, taught_by),
            **({"unlabelled": more.digest, "unlabelled_photos": more.count} if more else {}),
            **objects.provenance,
        },
        unlabelled=more.pixels if more else None,
        covers=objects.covers,
    )


def _learned_from(recipe: Recipe, taught_by: Sequence[Path]) -> JsonObject:
    """Digests of pretrained weights and teachers, if any: another file of that name is another training. And packs."""
    values: JsonObject = {}
    pretrained, names = recipe.arch.pretrained, recipe.arch.pretrained_key_map
    if pretrained is not None:
        values["begun_with"] = [content_digest(pretrained), content_digest(str(names)) if names else ""]
    if taught_by:
        values["teachers"] = [content_digest(str(teacher)) for teacher in taught_by]
    if packs := packs_behind([pretrained] if pretrained else [], map(str, taught_by)):
        values["packs"] = packs
    return values


def load_crops(manifest: Manifest, split: str, preprocess: Preprocess, cache: Path) -> Crops:
    """Decoded crops of a split, from the cache where they are there already."""
    rows = manifest.split(split)
    return Crops(decoded_crops(manifest, rows, preprocess, cache, split), [row.label for row in rows])
