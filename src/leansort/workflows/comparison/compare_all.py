"""`leansort compare` of more than two: each is compared with the first, on the crops that all have answers for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from leansort.core.errors import UserError
from leansort.measure.comparison.holm_correction import holm_adjusted
from leansort.measure.comparison.multiple_comparison import MultipleComparisonResult
from leansort.measure.comparison.reference_comparison import ComparedMember, ReferenceComparison
from leansort.search import pareto
from leansort.workflows.comparison import bundle_latencies
from leansort.workflows.comparison.answer_files import read_answers, side_names
from leansort.workflows.comparison.bundle_latencies import BundleLatencies
from leansort.workflows.comparison.compared_crops import DRAWS, ComparedCrops, compared_crops
from leansort.workflows.comparison.comparison_checks import require_bundle, require_different
from leansort.workflows.comparison.comparison_report import require_page, write_multiple_comparison


def compare_all(
    paths: Sequence[Path],
    truth: Path,
    *,
    split: str = "val",
    engine: str = "",
    threads: int = 1,
    seconds: float = 3.0,
    queries: int = 1000,
    seed: int = 0,
    page: Path | None = None,
) -> MultipleComparisonResult:
    """Compare several classifiers, or files of answers, with the first of them.

    Each bundle classifies the photos once. Crops that one has no answer for are left out for all, and counted in the
    notes. All bundles are timed in one run, in turns, while nothing else of leansort measures or trains here.

    Args:
        paths: bundles, runs, submission files (JSON) or predictions (CSV), two or more; the first is the reference.
        truth: a manifest, a folder of class folders, or a CSV file `image,label`.
        split: which split of a manifest, or of class folders that give splits.
        engine: that runs bundles; the one that suits each where empty, the fastest for `auto`.
        threads: compute threads of the engines.
        seconds: least time for each latency; 0 times nothing.
        queries: fewest calls for each latency.
        seed: of the bootstrap.
        page: where the comparison is written as a page; None writes none.

    Returns:
        Each macro-F1, each difference to the first, McNemar's tests after Holm's correction, and the Pareto front.

    Raises:
        UserError: fewer than two are given, two are the same, classes differ, or no crop has an answer of all.
        EngineError: an engine crashed, hung or failed when it was tried.
        IntegrityError: a bundle is damaged.
    """
    if len(paths) < 2:
        raise UserError(f"compare: got {len(paths)} to compare, allowed: 2 or more")
    if page:
        require_page(page)
    files = [read_answers(path, side) for path, side in zip(paths, side_names(len(paths)), strict=True)]
    engines = [engine] * len(files)
    require_different(files, engines)
    require_bundle(files, engine)
    crops = compared_crops(files, engines, threads, truth, split, seed)
    result = _result(crops, bundle_latencies.time_bundles(crops, seconds=seconds, queries=queries))
    if page:
        write_multiple_comparison(result, crops.truth, page)
    return result


def _result(crops: ComparedCrops, timed: BundleLatencies) -> MultipleComparisonResult:
    names = [side.file.side for side in crops.sides]
    unranked = [ComparedMember(name, crops.classifier(at), timed.of(name)) for at, name in enumerate(names)]
    criteria = _criteria(unranked)
    members = _with_front(unranked) if criteria else unranked
    pairs = [crops.pair(0, at) for at in range(1, len(members))]
    adjusted = holm_adjusted([pair.counts.p_value for pair in pairs])
    return MultipleComparisonResult(
        reference=members[0],
        others=tuple(
            ReferenceComparison(
                member=member,
                difference=pair.difference,
                counts=pair.counts,
                adjusted_p=p,
                classes=pair.classes,
                ratios=timed.ratios(names[0], member.name),
                changes=pair.changes,
            )
            for member, pair, p in zip(members[1:], pairs, adjusted, strict=True)
        ),
        truth=crops.truth.where,
        crops=len(crops.names),
        macro_f1_classes=crops.coverage,
        front_criteria=criteria,
        seed=crops.seed,
        draws=DRAWS,
        machine=timed.machine,
        notes=crops.notes,
        warning=timed.warning,
    )


def _criteria(members: Sequence[ComparedMember]) -> tuple[str, ...]:
    """What the Pareto front is of: the size of bundles, and their latency where they were timed."""
    running = [member for member in members if member.classifier.size_bytes]
    if len(running) < 2:
        return ()
    return ("macro-F1", *(["latency"] if running[0].latencies else []), "size")


def _with_front(members: Sequence[ComparedMember]) -> list[ComparedMember]:
    """The members, of which bundles know whether another one beats them in everything."""
    points = {
        member.name: (-item.macro_f1.value, float(item.size_bytes), *(timed.value for timed in member.latencies[:1]))
        for member in members
        if (item := member.classifier).size_bytes
    }
    best = {list(points)[at] for at in pareto.front(list(points.values()))}
    return [replace(member, on_front=member.name in best if member.name in points else None) for member in members]
