"""A recipe that is tried for a goal: trained, compressed, and judged on val, each a stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leansort.arch import trained_model
from leansort.arch.pretrained.weight_origin import content_digest
from leansort.compress.evaluation import engine_for, predict_classes
from leansort.core import bundle as bundles
from leansort.core.files.typed_result import TypedResult
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.provenance import host
from leansort.core.run_folder import CandidateFolder, SolveFolder
from leansort.core.writing import atomic_io
from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.calibration import Calibration
from leansort.measure.accuracy.metrics import Interval
from leansort.measure.measurement import Measurement
from leansort.recipe.goal import Goal
from leansort.recipe.load import validate_recipe
from leansort.recipe.schema import Recipe
from leansort.search.objectives import F1
from leansort.workflows.deploy import bench as benches
from leansort.workflows.deploy.bench_on_device import bench_on_device
from leansort.workflows.deploy.target_limits import LimitResult, check_limits
from leansort.workflows.run import deploy
from leansort.workflows.solving.candidate_recipes import with_limits
from leansort.workflows.solving.epoch_budget import change_epochs
from leansort.workflows.stages.stage_graph import PlannedStage, StageGraph
from leansort.workflows.training.train import load_crops, run_callbacks, train_model

QUICK = benches.BenchSettings(seconds=1.0, queries=300, starts=0)


class CandidateBudget(TypedResult):
    """What a candidate's training was decided to be when it was begun.

    Attributes:
        base: digest of the recipe with all its epochs.
        fraction: of the epochs that there is time for.
        recipe: as it is trained.
    """

    base: str
    fraction: float
    recipe: dict[str, object]


class CandidateOutcome(TypedResult):
    """What val and the clock say of a candidate's bundle.

    Attributes:
        name: of the recipe.
        macro_f1: on val, with its 95 % bootstrap interval.
        limits: of the goal, macro-F1 on val among them, and whether each is met.
        fraction: of the recipe's epochs that it was trained for.
        bytes: of the bundle.
        macs: multiply-adds for a photo.
    """

    name: str
    macro_f1: Interval
    limits: tuple[LimitResult, ...]
    fraction: float
    bytes: int
    macs: int

    @property
    def met(self) -> bool:
        """Whether all limits are met."""
        return all(item.met for item in self.limits)

    @property
    def miss(self) -> float:
        """How far it is from the goal: what is missing of each limit as a fraction of it, summed."""
        return sum(
            abs(item.value - item.limit) / item.limit for item in self.limits if not item.met
        )  # 0 where all are met


@dataclass(frozen=True)
class SolveGround:
    """What all candidates of a solve have in common.

    Attributes:
        manifest: the data.
        folder: of the solve.
        stages: of the solve.
        goal: what has to be reached.
    """

    manifest: Manifest
    folder: SolveFolder
    stages: StageGraph
    goal: Goal


def stage_names(name: str) -> tuple[str, str, str]:
    """Names of the stages of a candidate."""
    return f"train {name}", f"bundle {name}", f"judge {name}"


def plan_candidate(ground: SolveGround, name: str, waits_for: tuple[str, ...]) -> None:
    """Add the stages of a candidate to the graph."""
    train, bundle, judge = stage_names(name)
    ground.stages.plan([PlannedStage(train, waits_for), PlannedStage(bundle, (train,)), PlannedStage(judge, (bundle,))])


def skip_candidate(ground: SolveGround, name: str, why: str) -> None:
    """Leave a candidate out by name."""
    for stage in stage_names(name):
        if ground.stages[stage].state != "done":
            ground.stages.skip(stage, why)


def kept_fraction(recipe: Recipe, folder: CandidateFolder) -> float | None:
    """The fraction of its epochs that was decided on for a candidate when it was begun; None where it was not."""
    kept = folder.budget.read_if_there(CandidateBudget, "solve")
    return kept.fraction if kept and kept.base == recipe.digest else None


def train_teacher(ground: SolveGround, recipe: Recipe, stage: str, name: str) -> None:
    """Train a teacher of candidates, as a stage of its own."""
    folder = ground.folder.teacher(name)

    def train() -> None:
        callbacks = run_callbacks(recipe, recipe.name, folder.path, "")
        there, cache = folder.checkpoint.exists(), ground.folder.cache
        model = train_model(recipe, ground.manifest, folder.path, resume=there, cache=cache, callbacks=callbacks)
        ground.stages.note(stage, f"val macro-F1 {float(model.provenance['val_macro_f1']):.4f}")

    ground.stages.do(stage, [recipe.digest, ground.manifest.digest], [folder.model], train, clear=folder.path)


def try_candidate(ground: SolveGround, name: str, recipe: Recipe, fraction: float) -> CandidateOutcome:
    """Train, compress and judge a recipe; what is done already is left alone.

    Args:
        ground: what all candidates have in common.
        name: of the recipe.
        recipe: with all its epochs, and with its teachers' folders.
        fraction: of the epochs that are trained.
    """
    folder, manifest, stages = ground.folder.candidate(name), ground.manifest, ground.stages
    folder.path.mkdir(parents=True, exist_ok=True)
    shortened = recipe if fraction >= 1 else change_epochs(recipe, lambda count: round(fraction * count))
    recipe_now = validate_recipe(shortened.to_json(), f"{name!r}, shortened")
    folder.budget.write(CandidateBudget(base=recipe.digest, fraction=fraction, recipe=recipe_now.to_json()))
    train, bundle, judge = stage_names(name)
    taught_by = [content_digest(str(teacher)) for teacher in recipe_now.distill.teachers]
    rests_on = [recipe_now.digest, manifest.digest, taught_by]
    training, judged = folder.training, with_limits(recipe_now, ground.goal)

    def do_train() -> None:
        callbacks = run_callbacks(recipe_now, name, training.path, "")
        there, cache = training.checkpoint.exists(), ground.folder.cache
        model = train_model(
            recipe_now, manifest, training.path, resume=there, cache=cache, callbacks=callbacks, teachers_in=folder.path
        )
        stages.note(train, f"val macro-F1 {float(model.provenance['val_macro_f1']):.4f}")

    def do_bundle() -> None:
        manifest.save(folder.manifest)
        folder.recipe.write(recipe_now.to_json())
        deploy(recipe_now, trained_model.load(training.model), manifest, folder, ground.folder.cache)
        stages.note(bundle, f"{folder.bundle.stat().st_size / 1e6:.2f} MB")

    def do_judge() -> None:
        outcome = _judge(ground, name, judged, fraction)
        folder.judged.write(outcome)
        missed = ", ".join(str(item) for item in outcome.limits if not item.met)
        stages.note(judge, f"val macro-F1 {outcome.macro_f1.value:.4f}; {missed or 'meets the goal'}")

    stages.do(train, rests_on, [training.model], do_train, clear=training.path)
    rests_on = [*rests_on, atomic_io.sha256(training.model.read_bytes())]
    stages.do(bundle, rests_on, [folder.bundle, folder.calibration.path], do_bundle, clear=folder.compression.path)
    stages.do(judge, [bundles.load(folder.bundle).digest, judged.target.limits, host()], [folder.judged.path], do_judge)
    outcome = folder.judged.read(CandidateOutcome, "solve")
    say(f"{name}: {stages[judge].note}")
    return outcome


def read_calibration(folder: CandidateFolder) -> Calibration:
    """The calibration of a candidate's bundle."""
    return folder.calibration.read(Calibration, "solve")


def _judge(ground: SolveGround, name: str, recipe: Recipe, fraction: float) -> CandidateOutcome:
    manifest, folder, target = ground.manifest, ground.folder.candidate(name), recipe.target
    bundle = bundles.load(folder.bundle)
    crops = load_crops(manifest, "val", bundle.meta.preprocess, ground.folder.cache)
    classes = predict_classes(bundle, crops, "" if target.device else engine_for(bundle, target.engine_spec))
    truth = np.asarray(crops.labels, np.int64)
    f1 = metrics.macro_f1_interval(truth, classes, len(manifest.labels))
    measurements: tuple[Measurement, ...] = ()
    if any(limit.endswith("_ms") for limit in target.limits):
        photos = [manifest.path(row) for row in manifest.split("val")]
        how = benches.BenchSettings(
            seconds=QUICK.seconds, queries=QUICK.queries, starts=0, threads=target.threads, engine=target.engine_spec
        )
        timed = (
            bench_on_device(target.device, [folder.bundle], photos, how)
            if target.device
            else benches.bench([folder.bundle], photos, how)
        )
        measurements = timed.measurements
    limits = check_limits(target.limits, f1.value, bundle, measurements)
    assert F1 not in target.limits or any(item.name == F1 for item in limits)
    return CandidateOutcome(
        name=name,
        macro_f1=f1,
        limits=limits,
        fraction=fraction,
        bytes=folder.bundle.stat().st_size,
        macs=bundle.meta.macs,
    )
