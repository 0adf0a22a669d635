"""`leansort report`: a run folder's results as one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from leansort.contest.score_result import ScoreResult
from leansort.core import bundle as bundles
from leansort.core import manifest as manifests
from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError
from leansort.core.run_folder import RunFolder
from leansort.core.writing import atomic_io
from leansort.measure.accuracy.calibration import Calibration, expected_calibration_error
from leansort.measure.accuracy.ground_truth import GroundTruth, read_ground_truth
from leansort.measure.engine_selection import engine_choice
from leansort.measure.measurement import Measurement
from leansort.recipe.target import Target, engine_with_threads
from leansort.report.content import Figure, Mistake, Report, SplitCalibration
from leansort.report.page import render
from leansort.report.parts.evidence_content import PageEvidence
from leansort.runtime import named_predictions
from leansort.runtime.predictor import Prediction
from leansort.workflows.deploy.bench import BenchResult
from leansort.workflows.deploy.evidence.page_evidence import gather_evidence
from leansort.workflows.deploy.evidence.page_sources import PageSources
from leansort.workflows.deploy.evidence.run_evidence import Epoch, RunEvidence, TitledRecipe
from leansort.workflows.deploy.evidence.small_pictures import thumbnail
from leansort.workflows.deploy.target_limits import LimitResult, check_limits
from leansort.workflows.training.quick.probe_result import ProbeScore, read_probe

MOST_MISTAKES = 18


def write_run_report(run: Path, out: Path | None = None, sources: PageSources | None = None) -> Path:
    """Write `report.html` of a run folder.

    Args:
        run: a finished run; see `core.run_folder.RunFolder`.
        out: the page; `report.html` in the run folder by default.
        sources: results beside the run, and how much the page shows; None: what lies in the run folder.

    Returns:
        Where the page is.

    Raises:
        UserError: the folder is no finished run.
        IntegrityError: a file in it is not what was written.
    """
    folder = RunFolder(run)
    scored, timed = folder.score.read(ScoreResult, "report"), folder.bench.read(BenchResult, "report")
    calibration = folder.calibration.read_if_there(Calibration, "report")
    return write_page(read_evidence(folder, scored, timed, calibration), folder, out, sources)


def read_evidence(
    folder: RunFolder, scored: ScoreResult, timed: BenchResult, calibration: Calibration | None
) -> RunEvidence:
    """Read what a run left behind besides its results.

    Args:
        folder: the run's.
        scored: what the bundle scores.
        timed: its latencies.
        calibration: fitted on val; None where there is none.

    Raises:
        UserError: the folder is no finished run.
        IntegrityError: a file in it is not what was written.
    """
    recipe = folder.recipe.read(TitledRecipe, "report")
    truth = read_ground_truth(folder.manifest, scored.split)
    bundle = bundles.load(folder.bundle)
    return RunEvidence(
        recipe=recipe,
        bundle=bundle,
        size_bytes=folder.bundle.stat().st_size,
        score=scored,
        truth=truth,
        predictions=_predictions(folder, bundle, truth, recipe.target),
        bench=timed,
        calibration=calibration,
        history=folder.training.history.read(Epoch, "report"),
        probe=_probe(folder),
    )


def _probe(folder: RunFolder) -> ProbeScore | None:
    return (
        read_probe(folder.training, manifests.load(folder.manifest).digest) if folder.training.probe.exists() else None
    )


def _predictions(folder: RunFolder, bundle: Bundle, truth: GroundTruth, target: Target) -> list[Prediction]:
    """Those that the run kept when it classified the split; a run from before that is classified again."""
    if not folder.predictions.exists():
        with engine_choice.classifier_of(bundle, engine_with_threads(bundle, target)) as classifier:
            return list(classifier.predict_many((truth.files[name] for name in truth.index), threads=2))
    kept = named_predictions.load(folder.predictions, bundle.meta.labels, "report")
    if missing := [name for name in truth.index if name not in kept]:
        raise IntegrityError(f"report: {folder.predictions}: {missing[0]}: missing")
    return [kept[name] for name in truth.index]


def write_page(
    evidence: RunEvidence,
    folder: RunFolder,
    out: Path | None = None,
    sources: PageSources | None = None,
    *,
    conclusion: str = "",
) -> Path:
    """Write a run's page; return where it is.

    Args:
        evidence: what it shows.
        folder: the run's.
        out: the page; `report.html` in the run folder by default.
        sources: see `write_run_report`.
        conclusion: a paragraph at the top of it.
    """
    mistakes = worst_mistakes(evidence.predictions, evidence.truth)
    files = [item.file for item in mistakes]
    more = gather_evidence(evidence, folder, sources or PageSources(), _limits(evidence), files)
    page = render(_content(evidence, mistakes, more, conclusion))
    if out is None:
        folder.report.write(page)
    else:
        atomic_io.write_text(out, page)
    return out or folder.report.path


def _content(evidence: RunEvidence, mistakes: Sequence[Mistake], more: PageEvidence, conclusion: str = "") -> Report:
    scored, bundle, part = evidence.score, evidence.bundle, evidence.score.all
    return Report(
        title=evidence.recipe.title or evidence.recipe.name,
        summary=_summary(bundle.meta.name, bundle.meta.parameters, part.crops, scored.split),
        conclusion=conclusion,
        headline=_headline(scored, evidence.bench.measurements, evidence.size_bytes),
        f1=part.macro_f1,
        split=scored.split,
        crops=part.crops,
        classes=part.classes,
        matrix=part.confusion,
        mistakes=tuple(mistakes),
        history=tuple(evidence.history),
        probe=str(evidence.probe or ""),
        latency=evidence.bench.measurements,
        contest=scored.contest,
        calibration=evidence.calibration,
        on_split=_split_calibration(evidence),
        limits=tuple(map(str, _limits(evidence))),
        notes=tuple(
            note for note in (evidence.bench.warning, *scored.faults, more.missing.get("evidence", "")) if note
        ),
        provenance={
            "bundle": bundle.digest,
            **bundle.meta.provenance,
            "recipe": evidence.recipe.model_dump(mode="json"),
        },
        more=more,
    )


def _limits(evidence: RunEvidence) -> tuple[LimitResult, ...]:
    limits, f1 = evidence.recipe.target.limits, evidence.score.all.macro_f1.value
    return check_limits(limits, f1, evidence.bundle, evidence.bench.measurements)


def _summary(name: str, parameters: int, crops: int, split: str) -> str:
    return f"{name}, {parameters / 1e6:.2f} M parameters, scored on {crops:,} {split} crops that it was not trained on."


def _headline(scored: ScoreResult, latency: Sequence[Measurement], size: int) -> tuple[Figure, ...]:
    part, f1 = scored.all, scored.all.macro_f1
    over = part.macro_f1_classes.over
    figures = [Figure("macro-F1", f"{f1.value:.3f}", f"{over}, 95 % interval {f1.low:.3f} – {f1.high:.3f}")]
    for item in latency:
        if item.name.endswith(("decode to label", "model alone")):
            tail = f"median, p99 {item.percentiles['p99']:.2f} ms, " if item.percentiles else ""
            note = f"{tail}{item.threads} thread"
            figures.append(Figure(item.name.rpartition(": ")[2], f"{item.value:.2f} ms", note))
    figures.append(Figure("bundle size", f"{size / 1e6:.1f} MB", "one file, no PyTorch needed"))
    if row := scored.time_score:
        note = f"lower is better; {row.cost:.1f} s for {part.crops:,} crops"
        figures.append(Figure("contest score", f"{row.score:.3f}", note))
    return tuple(figures)


def _split_calibration(evidence: RunEvidence) -> SplitCalibration | None:
    """What the calibration comes to on a split that it was not fitted on."""
    truth = evidence.truth
    pairs = [
        (prediction, label)
        for prediction, label in zip(evidence.predictions, truth.index.values(), strict=True)
        if not prediction.error
    ]
    if evidence.calibration is None or evidence.score.split == "val" or not pairs:
        return None
    labels = np.asarray([label for _, label in pairs])
    wrong = [pair.label != truth.labels.names[label] for pair, label in pairs if pair.accepted]
    return SplitCalibration(
        ece=expected_calibration_error(np.asarray([pair.probabilities for pair, _ in pairs]), labels),
        coverage=len(wrong) / len(pairs),
        error=fmean(wrong) if wrong else 0.0,
    )


def worst_mistakes(predictions: Sequence[Prediction], truth: GroundTruth, most: int = MOST_MISTAKES) -> list[Mistake]:
    """Pictures sorted wrong, the most confident first; `predictions` are in the order of `truth`."""
    names = list(truth.index)
    wrong = [
        (prediction.probability, name, prediction.label)
        for name, prediction in zip(names, predictions, strict=True)
        if not prediction.error and prediction.label != truth.labels.names[truth.index[name]]
    ]
    worst = sorted(wrong, key=lambda entry: (-entry[0], entry[1]))[:most]
    return [
        Mistake(name, thumbnail(truth.files[name]), truth.labels.names[truth.index[name]], label, probability)
        for probability, name, label in worst
    ]
