"""The end of a run: its bundle is timed, submitted as the contest asks for it, scored and reported."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from leansort.contest.score_result import ScoreResult
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.provenance import host, versions
from leansort.core.run_folder import RunFolder
from leansort.core.text.name_lists import write_names
from leansort.data.splits import split_for_group
from leansort.measure.accuracy.calibration import Calibration
from leansort.measure.accuracy.image_names import image_names
from leansort.recipe.schema import Recipe
from leansort.recipe.target import engine_with_threads
from leansort.workflows.contest.score import score
from leansort.workflows.contest.timed_submission import submit_in_process
from leansort.workflows.deploy import bench as benches
from leansort.workflows.deploy.bench_on_device import bench_on_device
from leansort.workflows.deploy.run_report import read_evidence, write_page
from leansort.workflows.deploy.target_limits import LimitResult, check_limits
from leansort.workflows.finishing.run_result import RunResult
from leansort.workflows.stages.stage_graph import StageGraph

FINISHING = ("bench", "score", "report")  # the stages of `finish`


def finish(
    recipe: Recipe, manifest: Manifest, folder: RunFolder, stages: StageGraph, calibration: Calibration
) -> RunResult:
    """Time, submit, score and report the bundle that lies in a run's folder.

    Args:
        recipe: the run's.
        manifest: its data, which lie in the folder, too.
        folder: the run's.
        stages: of the job, with those of `FINISHING`; what of them is done on the same bundle is left alone.
        calibration: of the bundle.
    """
    bundle, target = bundles.load(folder.bundle), recipe.target
    split = scored_split(manifest)
    pictures = [manifest.path(row) for row in manifest.split(split)]
    grounds = [bundle.digest, manifest.digest, split, target.model_dump(mode="json", exclude={"limits"})]

    def time_bundle() -> None:
        say("bench: timing the bundle")
        settings = benches.BenchSettings(**recipe.bench.model_dump(), threads=target.threads, engine=target.engine_spec)
        if target.device:
            folder.bench.write(bench_on_device(target.device, [folder.bundle], pictures, settings))
        else:
            folder.bench.write(benches.bench([folder.bundle], pictures, settings))

    def submit_and_score() -> None:
        faults = _submit(folder, pictures, engine_with_threads(bundle, target))
        scored = _score(recipe, manifest, split, folder).model_copy(update={"faults": tuple(faults)})
        folder.score.write(scored)

    settings = [recipe.bench.model_dump(mode="json"), host(), versions()]
    stages.do("bench", [grounds, settings], [folder.bench.path], time_bundle)
    scoring = [grounds, recipe.seed, recipe.contest.model_dump(mode="json")]
    stages.do("score", scoring, [folder.submission, folder.predictions, folder.score.path], submit_and_score)
    timed, scored = folder.bench.read(benches.BenchResult, "run"), folder.score.read(ScoreResult, "run")
    with stages.stage("report"):
        page = write_page(read_evidence(folder, scored, timed, calibration), folder)
    limits = check_limits(target.limits, scored.all.macro_f1.value, bundle, timed.measurements)
    return _result(folder, bundle, scored, timed, page, limits)


def scored_split(manifest: Manifest) -> str:
    """The split that judges: test, or val where there is no test."""
    return "test" if any(row.split == "test" for row in manifest.rows) else "val"


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
