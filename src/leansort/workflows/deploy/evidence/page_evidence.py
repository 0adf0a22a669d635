"""Everything on a run's page beside its scores: read from the run and from results beside it, or computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from leansort.compress.pipeline.compress_result import CompressResult
from leansort.core import manifest as manifests
from leansort.core.errors import LeansortError
from leansort.core.manifest import Manifest
from leansort.core.run_folder import RunFolder
from leansort.measure.accuracy.reliability import accepted_fractions, reliability
from leansort.measure.comparison import class_intervals as intervals
from leansort.measure.engine_selection import engine_choice
from leansort.recipe.target import engine_with_threads
from leansort.report.parts.evidence_content import (
    Doubt,
    EvidencePicture,
    GoalRow,
    PageEvidence,
    TriedResult,
)
from leansort.workflows.deploy.evidence import further_results, tried_results
from leansort.workflows.deploy.evidence.cell_photos import matrix_cells
from leansort.workflows.deploy.evidence.data_health import data_health
from leansort.workflows.deploy.evidence.goal_rows import goal_rows, limit_rows
from leansort.workflows.deploy.evidence.page_sources import PageSources
from leansort.workflows.deploy.evidence.run_commands import run_commands
from leansort.workflows.deploy.evidence.run_evidence import RunEvidence
from leansort.workflows.deploy.evidence.small_pictures import evidence_pictures, thumbnail
from leansort.workflows.deploy.target_limits import LimitResult
from leansort.workflows.training.doubt.doubt_result import DoubtResult

NO_GOAL = "The recipe names no goal and its target no limits; target.limits would be compared with what was reached."
NOTHING_TRIED = (
    "Nothing else was tried: the recipe has no compress steps, and the run is no trial of a search (--study)."
)
NO_PASSES = "The recipe compresses nothing: its compress.steps are empty."
ONE_PASS = "No pass of the compression was kept, so that nothing became smaller."
NO_MISTAKES = "No crop was sorted wrong."


def gather_evidence(
    run: RunEvidence,
    folder: RunFolder,
    sources: PageSources,
    limits: Sequence[LimitResult],
    mistakes: Sequence[str],
) -> PageEvidence:
    """Read and compute what a run's page shows besides its scores.

    Args:
        run: what the run left behind.
        folder: the run's.
        sources: results beside it, and how much is shown.
        limits: of its target.
        mistakes: names of the worst mistakes, in order.

    Raises:
        UserError: a result that was named is not there, or is not of this run.
        IntegrityError: a file is not what was written.
    """
    manifest = manifests.load(folder.manifest)
    compressed = folder.compression.result.read_if_there(CompressResult, "report")
    tried = _tried(folder, sources, compressed)
    passes = tried_results.pass_steps(compressed) if compressed else ()
    stress = further_results.read_stress(folder, sources.stress, run.bundle.digest)
    unknown = further_results.read_unknown(folder, sources.unknown, run.score)
    doubts = further_results.read_doubts(folder, sources.doubt, manifest)
    goal = _goal(run, limits)
    confidences, right = _judged(run)
    cells, cell_limits = matrix_cells(run.predictions, run.truth, sources.photos)
    top = [] if isinstance(doubts, str) else [item.file for item in doubts.top[: _doubts_shown(sources)]]
    maps, fault = _maps(run, manifest, mistakes[: sources.maps], top[: sources.maps // 2])
    missing = {
        "goal": NO_GOAL,
        "tried": NOTHING_TRIED,
        "passes": ONE_PASS if compressed else NO_PASSES,
        "mistakes": NO_MISTAKES,
        "training": "The training left no record of its epochs.",
        "confidence": "The run kept neither a calibration nor a label that could be judged.",
        **{
            part: text
            for part, text in (("stress", stress), ("unknown", unknown), ("doubts", doubts))
            if isinstance(text, str)
        },
        **({"evidence": fault} if fault else {}),
    }
    return PageEvidence(
        goal=tuple(goal),
        tried=tuple(tried),
        intervals=_class_intervals(run),
        cells=cells,
        cell_limits=cell_limits,
        evidence={name: maps[name] for name in mistakes if name in maps},
        doubts=() if isinstance(doubts, str) else _doubts(doubts, top, manifest, maps),
        bins=tuple(reliability(confidences, right)) if len(right) else (),
        accepted=tuple(accepted_fractions(confidences, right)) if len(right) else (),
        unknown=None if isinstance(unknown, str) else unknown,
        stress=None if isinstance(stress, str) else stress,
        passes=passes,
        data=data_health(folder, manifest),
        commands=tuple(run_commands(folder, run.score.split, run.recipe.target.engine_spec or "")),
        missing=missing,
    )


def _goal(run: RunEvidence, limits: Sequence[LimitResult]) -> list[GoalRow]:
    macro_f1 = run.score.all.macro_f1
    rows = goal_rows(run.recipe.goal, macro_f1, run.size_bytes, run.bench.measurements)
    return [*rows, *limit_rows(limits, macro_f1)]


def _tried(folder: RunFolder, sources: PageSources, compressed: CompressResult | None) -> list[TriedResult]:
    study = further_results.read_study(folder, sources.study)
    steps = tried_results.tried_steps(compressed) if compressed else []
    name = folder.path.resolve().name if folder.path.resolve().parent.name == "trials" else ""
    candidates = tried_results.tried_candidates(further_results.judged_candidates(folder))
    return [*candidates, *steps, *(tried_results.tried_trials(study, name) if study else [])]


def _judged(run: RunEvidence) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Probability of each label that was given, and whether it is right."""
    names = run.truth.labels.names
    pairs = [
        (item.probability, item.label == names[label])
        for item, label in zip(run.predictions, run.truth.index.values(), strict=True)
        if not item.error
    ]
    return np.array([p for p, _ in pairs], np.float64), np.array([right for _, right in pairs], np.bool_)


def _class_intervals(run: RunEvidence) -> tuple[intervals.ClassInterval | None, ...]:
    """Of the score's own confusion matrix, so that they are of the very figures that stand beside them."""
    matrix = np.array(run.score.all.confusion, np.int64)
    if not matrix.sum():
        return ()
    cells = np.repeat(np.arange(matrix.size), matrix.ravel())
    truth, predicted = np.divmod(cells, len(matrix))
    return tuple(intervals.class_intervals(truth, predicted, len(matrix)))


def _maps(
    run: RunEvidence, manifest: Manifest, mistakes: Sequence[str], doubts: Sequence[str]
) -> tuple[dict[str, EvidencePicture], str]:
    """Evidence by file, and why there is none where the graph cannot be run here."""
    photos = [(name, run.truth.files[name]) for name in mistakes] + [(name, manifest.root / name) for name in doubts]
    if not photos:
        return {}, ""
    try:
        engine = engine_with_threads(run.bundle, run.recipe.target)
        with engine_choice.classifier_of(run.bundle, engine) as classifier:
            return evidence_pictures(classifier, photos), ""
    except LeansortError as error:
        return {}, f"No evidence is drawn, as the graph cannot be run here: {error}"


def _doubts_shown(sources: PageSources) -> int:
    return max(12, sources.maps // 2)


def _doubts(
    result: DoubtResult, shown: Sequence[str], manifest: Manifest, maps: Mapping[str, EvidencePicture]
) -> tuple[Doubt, ...]:
    return tuple(
        Doubt(
            item.file,
            thumbnail(manifest.root / item.file),
            item.label,
            item.suggested,
            f"in {item.split}, {item.label} {item.label_probability:.3f}, {item.suggested} "
            f"{item.suggested_probability:.3f}",
            maps.get(item.file),
        )
        for item in result.top
        if item.file in shown
    )
