"""`leansort compress`: a trained network through a pipeline of passes, each step measured and judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

from leansort.arch import trained_model
from leansort.arch.pretrained.weight_origin import content_digest
from leansort.arch.trained_model import TrainedModel
from leansort.compress import layer_sensitivity
from leansort.compress.evaluation import engine_for
from leansort.compress.layer_sensitivity import LayerReport
from leansort.compress.passes_api import PassContext, read_step
from leansort.compress.pipeline import runner
from leansort.compress.pipeline.compress_result import CompressResult, StepBudget
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, UserError
from leansort.core.labels import LabelSet
from leansort.core.manifest import Manifest
from leansort.core.preprocess import Preprocess
from leansort.core.process.console import bar, say
from leansort.core.run_folder import CompressionFolder, TrainingFolder
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.data.loading.crops import Crops
from leansort.data.loading.encoded_photos import encoded_val
from leansort.export import parity
from leansort.export.onnx import export_onnx
from leansort.measure import engine_trial
from leansort.measure.accuracy.calibration import Calibration
from leansort.measure.timing.machine import LoadWatch
from leansort.recipe.schema import Recipe
from leansort.report import compression_page
from leansort.runtime import engine as engines
from leansort.workflows.compression import recipe_match, step_teachers, step_timing
from leansort.workflows.compression.step_cascade import StepCascade
from leansort.workflows.data.import_data import data_for
from leansort.workflows.data.stressed.stressed_val import require_enough_crops, stressed_val
from leansort.workflows.data.unknown_photos import load_unknown_crops, require_unknown_folder
from leansort.workflows.deploy.bundle_calibration import calibrate_bundle, calibration_sentence, sizes_of
from leansort.workflows.training import export_check, network_finetuning
from leansort.workflows.training.built_network import build_network
from leansort.workflows.training.network_finetuning import Finetuning
from leansort.workflows.training.train import load_crops

_FORMATS = {
    "openvino": "openvino",
    "ncnn": "ncnn",
    "litert": "litert",
}  # that a quantize step for an engine leaves, others than its own


def compress(
    recipe: Recipe,
    model: TrainedModel,
    manifest: Manifest,
    out: Path,
    *,
    cache: Path | None = None,
    explain: bool = False,
    teachers: Sequence[Path] = (),
    training: Path | None = None,
) -> CompressResult:
    """Compress a trained network as a recipe says.

    Args:
        recipe: its `compress` section is the pipeline; its data, `train` and `augment` sections fine-tune.
        model: what to begin with.
        manifest: the data; train crops calibrate and fine-tune, val crops judge.
        out: gets `model.leansort`, `compress.json`, `compress.md`, `compress.html` and a folder for each step.
        cache: folder of decoded crops; `cache` in `out` by default.
        explain: also report what each layer costs and how sensitive it is.
        teachers: what a step's teacher named `recipe` stands for; by default the recipe's `distill.teachers`.
        training: folder of the network's training, whose photos without labels are taken; None: they are looked for.

    Raises:
        UserError: a step is wrong, the manifest has other classes, or a teacher is missing or knows others.
        EngineError: the recipe's engine crashed, hung or failed when it was tried.
        LeansortError: a pass failed; earlier steps are kept, and the next call in the same `out` goes on from them.
    """
    steps = read_steps(recipe)
    model.labels.require_same(manifest.labels, "the model", "the manifest")
    _require_engine(recipe, model)
    require_unknown_folder(recipe.export.unknown, "export.unknown")
    folder = CompressionFolder(out)
    model.save(folder.start)
    taught_by = step_teachers.find_teachers(recipe, manifest, steps, teachers)
    unlabelled = step_teachers.find_photos(recipe, manifest, TrainingFolder(training or out), steps)
    size = model.preprocess.size
    finetuning = Finetuning(recipe, manifest, cache or folder.cache, folder.start, taught_by, unlabelled, size)
    context = _context(recipe, model, manifest, finetuning, folder)
    stressed = _stressed(recipe, manifest, finetuning.cache)
    watch = LoadWatch()
    done = runner.run_pipeline(recipe.compress, steps, model, context, out, stressed)
    large = done.bundle.stages[-1] if done.bundle.stages else done.bundle
    bundle, calibration = _calibrated(recipe, manifest, context.crops, large)
    bundle = done.bundle if done.bundle.stages else bundle  # a cascade was made of calibrated ones
    say(f"compress: {calibration_sentence(calibration)}")
    known = {**bundle.meta.provenance, "compressed": {"recipe": recipe.digest}}
    bundle = Bundle(bundle.meta.model_copy(update={"provenance": known}), bundle.files)
    bundle.save(folder.bundle)
    layers: list[LayerReport] = []
    if explain:
        with bar("layers") as advance:
            layers = layer_sensitivity.report_layers(model, context, advance)
    if warning := watch.warning():
        say(f"warning: {warning}")
    result = CompressResult(
        title=recipe.title or recipe.name,
        steps=tuple(done.steps),
        latency=step_timing.step_latencies(recipe, _photos(recipe, manifest), done.bundles),
        layers=tuple(layers),
        warning=warning,
        budget=_budget(recipe),
        calibration=calibration,
        stress=stressed(model.preprocess).facts if stressed else None,
    )
    folder.result.write(result)
    folder.table.write(compression_page.text(result) + "\n")
    folder.page.write(compression_page.page(result))
    return result


def open_data(recipe: Recipe, out: Path, manifest: Path | None, *, resume: bool) -> Manifest:
    """Open the folder for results, and the data: those of `manifest`, or the recipe's own, imported into `out`.

    Raises:
        UserError: `out` holds something and is not to be resumed, or the data cannot be used.
    """
    require_enough_crops(recipe.compress.stress, manifest, "compress.stress")
    atomic_io.new_folder(out, "compress", reuse=resume, resumable=True)
    return data_for(recipe, out, manifest, resume=resume)


def read_steps(recipe: Recipe) -> runner.Steps:
    """The checked steps of a recipe's pipeline.

    Raises:
        UserError: every fault of every step.
    """
    steps, faults = [], []
    for number, tree in enumerate(recipe.compress.steps, 1):
        try:
            step, item = read_step(tree, f"compress.steps.{number}.")
            if step.max_stress_drop is not None and recipe.compress.stress is None:
                raise UserError(f"compress.steps.{number}.max_stress_drop: has no effect without compress.stress")
            if item.timed_on_photos and recipe.compress.timed != "label":
                raise UserError(
                    f"compress.timed: got {recipe.compress.timed}, but step {number} ({item.name}) is timed on photos; "
                    "allowed: label"
                )
            for training in item.trainings(step):
                network_finetuning.checked(recipe, training)
            steps.append((step, item))
        except UserError as error:
            faults.append(str(error))
    if faults:
        raise UserError("; ".join(faults))
    runner.check_order(steps)
    _require_readable(recipe, steps)
    return steps


def require_steps_for_recipe(recipe: Recipe, labels: LabelSet) -> None:
    """Refuse steps that cannot be done to the network that a recipe describes, before it is trained.

    Args:
        recipe: the resolved recipe.
        labels: the classes of the data.

    Raises:
        UserError: naming every such step and what is wrong.
    """
    if recipe.compress.steps:
        built = build_network(recipe, len(labels))
        untrained = TrainedModel(built.spec, built.network.state_dict(), recipe.preprocess, labels, built=built)
        runner.check_start(read_steps(recipe), untrained)


def _require_readable(recipe: Recipe, steps: runner.Steps) -> None:
    """Refuse a target whose engine cannot run the graph that comes out, and an export format that passes overrule.

    Raises:
        UserError: naming what contradicts what.
    """
    if steps and recipe.export.format != "onnx":
        raise UserError(
            f"export.format: {recipe.export.format} has no effect, since the passes decide the format; "
            "leave it out, or name the engine in the quantize step"
        )
    last = [item.config for _, item in steps if item.name == "quantize"]
    graph_format = _FORMATS.get(getattr(last[-1], "engine", "") if last else "", recipe.export.format)
    able = engines.engines_reading(graph_format)
    if recipe.target.engine and recipe.target.engine not in able:
        where = "which the passes leave" if steps else "which export.format asks for"
        raise UserError(
            f"target.engine: {recipe.target.engine} does not read the {graph_format} format, {where}; "
            f"allowed: {', '.join(able)}"
        )


def _budget(recipe: Recipe) -> StepBudget:
    """What the steps may cost, and what judged and timed them."""
    config = recipe.compress
    return StepBudget(
        max_f1_drop=config.max_f1_drop,
        max_class_drop=config.max_class_drop,
        max_stress_drop=config.stress.max_drop if config.stress else None,
        sure=config.sure,
        retries=config.retries,
        timed=config.timed,
        seconds=config.seconds,
        engine=recipe.target.engine_spec,
        threads=recipe.target.threads,
    )


def _stressed(recipe: Recipe, manifest: Manifest, cache: Path) -> runner.Stress | None:
    """What gives val crops under the stress that the recipe asks for, as a network takes them."""
    setting = recipe.compress.stress
    if setting is None:
        return None
    return lru_cache(lambda preprocess: stressed_val(setting, manifest, preprocess, cache, "compress.stress"))


def _photos(recipe: Recipe, manifest: Manifest) -> list[bytes]:
    """The photos that the way to a label is timed on; none where only the network is timed."""
    return encoded_val(manifest, recipe.seed) if recipe.compress.timed == "label" else []


def _require_engine(recipe: Recipe, model: TrainedModel) -> None:
    """Refuse an engine that does not bear the network as it is, before anything is done to it.

    Raises:
        EngineError: it crashed, hung or failed when it was tried.
    """
    engine = "" if recipe.target.device else recipe.target.engine_spec
    if engine and not engines.is_proven(engine):
        bundle = export_onnx(model, name=recipe.name)
        engine_trial.require(bundle, engine_for(bundle, engine), threads=recipe.target.threads)


def _context(
    recipe: Recipe, model: TrainedModel, manifest: Manifest, finetune: Finetuning, out: CompressionFolder
) -> PassContext:
    crops = lru_cache(lambda split, preprocess: load_crops(manifest, split, preprocess, finetune.cache))
    export = partial(_exported, crops, recipe.name)
    calibrated = partial(_calibrated, recipe, manifest, crops)
    learned_from = [content_digest(str(teacher)) for teacher in finetune.teachers]
    return PassContext(
        crops=crops, preprocess=model.preprocess, seeds=Seeds(recipe.seed),
        folder=out.path, finetune=finetune, export=export,
        make_cascade=StepCascade(recipe, manifest, export, lambda bundle: calibrated(bundle)[0]),
        time_bundles=partial(step_timing.time_bundles, recipe, _photos(recipe, manifest)),
        time_layers=partial(step_timing.time_layers, recipe), say=say,
        engine=recipe.target.engine_spec, threads=recipe.target.threads,
        ground=atomic_io.digest([
            manifest.digest, recipe.augment.model_dump(mode="json"),
            recipe.train.model_dump(mode="json", exclude={"workers", "threads"}),
            learned_from, finetune.unlabelled and [finetune.unlabelled.digest, recipe.distill.unlabelled_ratio],
            *([recipe.export.model_dump(mode="json")] if _ends_calibrated(recipe) else []),
        ]),
    )  # fmt: skip


def _ends_calibrated(recipe: Recipe) -> bool:
    """Whether the last step itself gives its bundle temperature and thresholds, which then decide what it leaves."""
    steps = read_steps(recipe)
    return bool(steps) and steps[-1][1].last


def _calibrated(
    recipe: Recipe, manifest: Manifest, crops: Callable[[str, Preprocess], Crops], bundle: Bundle
) -> tuple[Bundle, Calibration]:
    """A bundle with temperature, threshold and novelty of its own, and what they come to on val."""
    wanted, preprocess = recipe.export, bundle.preprocess
    unknown = load_unknown_crops(wanted.unknown, wanted.unknown_share, manifest, preprocess, "export.unknown")
    val, train = crops("val", preprocess), crops("train", preprocess)
    return calibrate_bundle(bundle, val, wanted.target_error, train, unknown, sizes_of(manifest))


def _exported(crops: Callable[[str, Preprocess], Crops], name: str, model: TrainedModel) -> Bundle:
    """A bundle that has passed the parity gate."""
    bundle = export_onnx(model, name=name)
    parity.check_parity(model, bundle, crops("val", model.preprocess).pixels)
    export_check.proven(model, bundle.format)
    return bundle


def network_to_compress(recipe: Recipe, model: Path, *, explain: bool) -> TrainedModel:
    """The network to compress, once it is known that there is something to do.

    Raises:
        UserError: a step is wrong, there is none and nothing to explain, `model` is a bundle, which has no network
            any more, or not there, or the recipe describes another network.
    """
    steps = read_steps(recipe)
    if not steps and not explain:
        raise UserError("compress: the recipe has no compress.steps; name some, or ask for --explain alone")
    if model.suffix == ".leansort":
        raise UserError(
            f"compress: {model} is a bundle; compression begins with a network: model.safetensors or a run folder"
        )
    try:
        network = trained_model.load(model)
    except LeansortError as error:
        raise UserError(f"compress: {error}") from None
    if faults := recipe_match.mismatches(recipe, network):
        raise UserError(f"compress: {model} is another network than the recipe's: {'; '.join(faults)}")
    runner.check_start(steps, network)
    return network
