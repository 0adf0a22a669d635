"""`leansort run RECIPE`: data, train, compress, export, bench, submit, score, report - the main job, end to end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from leansort.arch.trained_model import TrainedModel
from leansort.contest.score_result import ContestScore, ScoreResult
from leansort.core import bundle as bundles
from leansort.core import manifest as manifests
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.files.typed_result import JsonObject, TypedResult
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.process.distributed import is_distributed
from leansort.core.run_folder import RunFolder
from leansort.core.text.name_lists import write_names
from leansort.core.writing import atomic_io
from leansort.core.writing.escaping import printable
from leansort.data.splits import split_for_group
from leansort.measure.accuracy.calibration import Calibration
from leansort.measure.accuracy.image_names import image_names
from leansort.measure.accuracy.metrics import DescribedCoverage, Interval
from leansort.recipe.load import validate_recipe
from leansort.recipe.schema import Recipe
from leansort.recipe.target import engine_with_threads
from leansort.workflows.compression.compress import compress, read_steps
from leansort.workflows.contest.score import score
from leansort.workflows.contest.timed_submission import submit_in_process
from leansort.workflows.data.import_data import import_data, warn
from leansort.workflows.data.resume_check import require_same_import
from leansort.workflows.data.stressed.stressed_val import stressed_val
from leansort.workflows.data.unknown_photos import require_unknown_folder
from leansort.workflows.deploy import bench as benches
from leansort.workflows.deploy.bench_on_device import bench_on_device
from leansort.workflows.deploy.export import export_bundle
from leansort.workflows.deploy.run_report import read_evidence, write_page
from leansort.workflows.deploy.target_limits import LimitResult, check_limits
from leansort.workflows.training.quick.probe_result import ProbeScore, read_probe
from leansort.workflows.training.teacher_recipes import teacher_paths
from leansort.workflows.training.train import exportable, run_callbacks, train_model

ALONE, WHOLE = benches.ALONE, benches.WHOLE


class RunResult(TypedResult):
    """What a recipe's whole job comes to.

    Attributes:
        macro_f1: on the scored split, with its 95 % bootstrap interval.
        macro_f1_classes: the classes that it was taken over.
        accuracy: fraction of the crops that are classified correctly.
        crops: of the scored split.
        split: that was scored: test, or val where there is no test.
        contest: the contest's scores.
        parameters: weights of the network.
        bytes: of the bundle's file.
        latency_ms: percentiles (`p50`, `p90`, `p99`) of `model alone`, `decode alone` and `decode to label`.
        limits: of the recipe's target, and whether each is met.
        warning: where other work disturbed the timing, else empty.
        bundle: the bundle's file.
        submission: the contest's submission file.
        report: the page.
        probe: what a linear probe of the same data came to on val, where one was made in this folder.
    """

    macro_f1: Interval
    macro_f1_classes: DescribedCoverage
    accuracy: float
    crops: int
    split: str
    contest: tuple[ContestScore, ...]
    parameters: int
    bytes: int
    latency_ms: dict[str, dict[str, float]]
    limits: tuple[LimitResult, ...] = ()
    warning: str
    bundle: Path
    submission: Path
    report: Path
    probe: ProbeScore | None = None

    def headline(self) -> dict[str, str]:
        """Return macro-F1, latencies, size, the contest's score, and where the files are."""
        row = next((row for row in self.contest if (row.edition, row.list) == ("time", "all")), None)
        return {
            f"{self.split} macro-F1": f"{self.macro_f1} {self.macro_f1_classes}",
            **{name: ", ".join(f"{p} {ms:.2f} ms" for p, ms in of.items()) for name, of in self.latency_ms.items()},
            "bundle": f"{self.bytes / 1e6:.2f} MB, {self.parameters:,} parameters: {self.bundle}",
            **({"contest score": f"{row.score:.4f} (time edition, {row.cost:.2f} s)"} if row else {}),
            **({"linear probe, val": str(self.probe)} if self.probe else {}),
            "report": str(self.report),
            **{f"target, {item.name}": str(item) for item in self.limits},
            **({"warning": self.warning} if self.warning else {}),
        }


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
    manifest = _manifest(recipe, folder, resume)
    if recipe.compress.stress:  # what does not suit the data is refused before the training
        stressed_val(recipe.compress.stress, manifest, recipe.preprocess, folder.cache, "compress.stress")
    training = folder.training
    callbacks = run_callbacks(recipe, recipe.name, training.path, tracker="")
    model = train_model(recipe, manifest, training.path, resume=resume, callbacks=callbacks, teachers_in=out)
    bundle, calibration = _deployed(recipe, model, manifest, folder)
    split = "test" if any(row.split == "test" for row in manifest.rows) else "val"
    pictures = [manifest.path(row) for row in manifest.split(split)]
    say("bench: timing the bundle")
    target = recipe.target
    settings = benches.BenchSettings(**recipe.bench.model_dump(), threads=target.threads, engine=target.engine_spec)
    if target.device:
        timed = bench_on_device(target.device, [folder.bundle], pictures, settings)
    else:
        timed = benches.bench([folder.bundle], pictures, settings)
    folder.bench.write(timed)
    faults = _submit(folder, pictures, engine_with_threads(bundle, target))
    scored = _score(recipe, manifest, split, folder).model_copy(update={"faults": tuple(faults)})
    folder.score.write(scored)
    page = write_page(read_evidence(folder, scored, timed, calibration), folder)
    limits = check_limits(target.limits, scored.all.macro_f1.value, bundle, timed.measurements)
    result = _result(folder, bundle, scored, timed, page, limits)
    return result.model_copy(update={"probe": read_probe(training, manifest.digest)})


def _result(
    folder: RunFolder,
    bundle: Bundle,
    scored: ScoreResult,
    timed: benches.BenchResult,
    page: Path,
    limits: tuple[LimitResult, ...],
) -> RunResult:
    part = scored.all
    return RunResult(
        macro_f1=part.macro_f1,
        macro_f1_classes=part.macro_f1_classes,
        accuracy=part.accuracy,
        crops=part.crops,
        split=scored.split,
        contest=scored.contest,
        parameters=bundle.meta.parameters,
        bytes=folder.bundle.stat().st_size,
        latency_ms={
            measurement.name.rpartition(": ")[2]: measurement.percentiles
            for measurement in timed.measurements
            if measurement.percentiles
        },
        limits=limits,
        warning=timed.warning,
        bundle=folder.bundle,
        submission=folder.submission,
        report=page,
    )


def _manifest(recipe: Recipe, folder: RunFolder, resume: bool) -> Manifest:
    out = folder.path
    if resume and folder.manifest.exists():
        if recipe.to_json() != (kept := folder.recipe.read(JsonObject, "resume")):
            validate_recipe(kept, f"in {out}")  # an older one may have keys that were renamed
            raise UserError(f"resume: {out} was started with another recipe; start a new run with --out")
        require_same_import(recipe.data, out)
        manifest = manifests.load(folder.manifest)
        warn(manifest)
        return manifest
    probed = folder.training.probe.exists() and not folder.training.checkpoint.exists()
    atomic_io.new_folder(out, "run", reuse=resume or probed)
    folder.recipe.write(recipe.to_json())
    return import_data(recipe.data, out, seed=recipe.seed)


def _deployed(recipe: Recipe, model: TrainedModel, manifest: Manifest, folder: RunFolder) -> tuple[Bundle, Calibration]:
    """Write the bundle: what the recipe's passes make of the network, or without any the network itself."""
    if recipe.compress.steps:
        place, teachers = folder.compression.path, teacher_paths(recipe, folder.path)
        training = folder.training.path
        calibration = compress(
            recipe, model, manifest, place, cache=folder.cache, teachers=teachers, training=training
        ).calibration
        bundle = bundles.load(folder.compression.bundle)
        bundle.save(folder.bundle)
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
        bundle, calibration = bundles.load(folder.bundle), result.calibration
        folder.parity.write(result.parity)
    folder.calibration.write(calibration)
    return bundle, calibration


def _submit(folder: RunFolder, pictures: list[Path], engine: str) -> list[str]:
    """Run the submission as the contest does, and keep the probabilities, so that the page need not classify again."""
    for path in (folder.submission, folder.predictions):
        path.unlink(missing_ok=True)  # an earlier one is no answer of this bundle
    write_names(folder.pictures, list(map(str, pictures)))
    return submit_in_process(
        folder.bundle, folder.pictures, folder.submission, engine=engine, predictions=folder.predictions
    )


def _score(recipe: Recipe, manifest: Manifest, split: str, folder: RunFolder) -> ScoreResult:
    """Score the submission on all crops and, as the contest does, on a public and a private half apart."""
    halves = Counter[str]()
    lines: dict[str, list[str]] = {"public": [], "private": []}
    rows = manifest.split(split)
    for row, name in zip(rows, image_names([manifest.path(row) for row in rows]), strict=True):
        # Not by the group alone: the splits were dealt by that already.
        half = split_for_group(f"half/{row.group}", recipe.seed, {"public": 0.5, "private": 0.5})
        halves[half] += 1
        lines[half].append(name)
    paths = {half: folder.name_list(half) for half in lines if halves[half]}
    for half, path in paths.items():
        write_names(path, lines[half])
    return score(
        folder.submission,
        folder.manifest,
        split=split,
        public=paths.get("public"),
        private=paths.get("private"),
        base=recipe.contest,
    )


def run_summary(result: RunResult) -> str:
    """The headline figures as lines of text."""
    f1, over, ms = result.macro_f1, result.macro_f1_classes, result.latency_ms
    contest = next(row for row in result.contest if row.edition == "time" and row.list == "all")
    lines = [
        f"{result.split} macro-F1     {f1.value:.4f} {over.over} (95 % {f1.low:.4f} – {f1.high:.4f})",
        *([f"                  {over.note}"] if over.note else []),
        f"decode to label   p50 {ms[WHOLE]['p50']:.2f} ms, p99 {ms[WHOLE]['p99']:.2f} ms",
        f"model alone       p50 {ms[ALONE]['p50']:.2f} ms, p99 {ms[ALONE]['p99']:.2f} ms",
        f"bundle            {result.bytes / 1e6:.2f} MB, {result.parameters:,} parameters: "
        + printable(str(result.bundle)),
        f"contest score     {contest.score:.4f} (time edition, {contest.cost:.2f} s for {result.crops} crops)",
        *([f"linear probe      {printable(str(result.probe))}, val"] if result.probe else []),
        f"report            {printable(str(result.report))}",
        *(f"target            {item}" for item in result.limits),
    ]
    return "\n".join([*lines, *([f"warning: {result.warning}"] if result.warning else [])])
