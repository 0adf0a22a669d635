"""`leansort compare`: is B as good as A on the same crops, and is it faster?"""

from __future__ import annotations

from pathlib import Path

from leansort.core.errors import UserError
from leansort.measure.comparison.comparison_result import ComparisonResult, LatencyComparison
from leansort.workflows.comparison import bundle_latencies
from leansort.workflows.comparison.answer_files import AnswerFile, read_answers
from leansort.workflows.comparison.bundle_latencies import BundleLatencies
from leansort.workflows.comparison.compared_crops import DRAWS, ComparedCrops, compared_crops
from leansort.workflows.comparison.comparison_checks import require_bundle, require_different
from leansort.workflows.comparison.comparison_report import require_page, write_comparison


def compare(
    a: Path,
    b: Path,
    truth: Path,
    *,
    split: str = "val",
    engine: str = "",
    engine_b: str | None = None,
    threads: int = 1,
    seconds: float = 3.0,
    queries: int = 1000,
    seed: int = 0,
    page: Path | None = None,
) -> ComparisonResult:
    """Compare two classifiers, or two files of answers, on the same crops.

    Crops that only one of them has an answer for are left out for both, and counted in the notes. Two bundles are
    timed in turns on crops of the ground truth, while nothing else of leansort measures or trains on this machine.

    Args:
        a: a bundle, a run, a submission file (JSON), or predictions (CSV with the columns image and label).
        b: likewise; it is compared with `a`.
        truth: a manifest, a folder of class folders, or a CSV file `image,label`.
        split: which split of a manifest, or of class folders that give splits.
        engine: that runs bundles; the one that suits each where empty, the fastest for `auto`.
        engine_b: that runs `b`; None takes that of `a`.
        threads: compute threads of the engines.
        seconds: least time for each latency; 0 times nothing.
        queries: fewest calls for each latency.
        seed: of the bootstrap.
        page: where the comparison is written as a page; None writes none.

    Returns:
        Both macro-F1 and their difference with intervals, McNemar's exact test, class by class, sizes and latencies.

    Raises:
        UserError: both are the same, have different classes, have no crop in common, or nothing can be run.
        EngineError: an engine crashed, hung or failed when it was tried.
        IntegrityError: a bundle is damaged.
    """
    if page:
        require_page(page)
    files = read_answers(a, "A"), read_answers(b, "B")
    engines = engine, engine if engine_b is None else engine_b
    require_different(files, engines)
    require_bundle(files, engine)
    _require_b_runs(files[1], engines)
    crops = compared_crops(files, engines, threads, truth, split, seed)
    result = _result(crops, bundle_latencies.time_bundles(crops, seconds=seconds, queries=queries))
    if page:
        write_comparison(result, crops.truth, page)
    return result


def _require_b_runs(b: AnswerFile, engines: tuple[str, str]) -> None:
    if engines[0] != engines[1] and not b.bundle:
        raise UserError(f"compare: --engine-b has no effect, as B ({b.path}) is no bundle")


def _result(crops: ComparedCrops, timed: BundleLatencies) -> ComparisonResult:
    pair = crops.pair(0, 1)
    latencies = zip(bundle_latencies.WHAT, timed.of("A"), timed.of("B"), timed.ratios("A", "B"), strict=False)
    return ComparisonResult(
        a=crops.classifier(0),
        b=crops.classifier(1),
        truth=crops.truth.where,
        crops=len(crops.names),
        macro_f1_classes=crops.coverage,
        difference=pair.difference,
        counts=pair.counts,
        classes=pair.classes,
        latencies=tuple(LatencyComparison(*each) for each in latencies),
        seed=crops.seed,
        draws=DRAWS,
        machine=timed.machine,
        notes=crops.notes,
        warning=timed.warning,
        changes=pair.changes,
    )
