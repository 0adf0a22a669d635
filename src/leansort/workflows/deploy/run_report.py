"""`leansort report`: a run folder's results as one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import cv2
import numpy as np

from leansort.core import bundle as bundles
from leansort.core.errors import LeansortError
from leansort.core.files import atomic_io, json_documents
from leansort.core.preprocess import Preprocess
from leansort.measure.accuracy.calibration import expected_calibration_error
from leansort.measure.accuracy.ground_truth import GroundTruth, read_ground_truth
from leansort.measure.accuracy.metrics import Coverage, Interval, coverage
from leansort.measure.measurement import Measurement
from leansort.report.content import Figure, Mistake, Report
from leansort.report.page import render
from leansort.runtime.predictor import Classifier, Prediction
from leansort.workflows import run_files

MOST_MISTAKES = 18
THUMBNAIL = Preprocess(size=144, fit="pad", fill=240)


def write_run_report(run: Path, out: Path | None = None) -> Path:
    """Write `report.html` of a run folder.

    Args:
        run: holds `model.leansort`, `manifest.parquet`, `score.json`, `bench.json`, `train/metrics.jsonl`.
        out: the page; `report.html` in the run folder by default.

    Returns:
        Where the page is.

    Raises:
        UserError: the folder is no finished run.
    """
    page = out or run / "report.html"
    if out is None:
        json_documents.require_within(run, page)
    scored, timed = run_files.scored(run, "report"), run_files.timed(run, "report")
    recipe = json_documents.read(run / "recipe.json", run_files.Named, "report")
    with Classifier.load(run / "model.leansort") as classifier:
        truth = read_ground_truth(run / "manifest.parquet", scored["split"])
        text = list(classifier.predict_many((truth.files[name] for name in truth.index), threads=2))
    mistakes = worst_mistakes(text, truth)
    calibration = _calibration(run, text, truth, scored["split"])
    atomic_io.write_text(page, render(_content(run, recipe, scored, timed, mistakes, calibration)))
    return page


def _content(
    run: Path,
    recipe: run_files.Named,
    scored: run_files.Scored,
    timed: run_files.Timed,
    mistakes: Sequence[Mistake],
    calibration: dict[str, Any],
) -> Report:
    bundle = bundles.load(run / "model.leansort")
    part = scored["lists"]["all"]
    latency = tuple(timed["measurements"])
    f1 = part["macro_f1"]
    classes = tuple(part["classes"])
    over = coverage([item.name for item in classes], [item.support for item in classes])
    return Report(
        title=recipe.get("title") or recipe["name"],
        summary=_summary(bundle.meta.name, bundle.meta.parameters, part["crops"], scored["split"]),
        headline=_headline(f1, over, part["crops"], scored, latency, (run / "model.leansort").stat().st_size),
        f1=f1,
        split=scored["split"],
        crops=part["crops"],
        classes=classes,
        matrix=tuple(tuple(row) for row in part["confusion"]),
        mistakes=tuple(mistakes),
        history=tuple(run_files.history(run / "train" / "metrics.jsonl", "report")),
        latency=latency,
        contest=tuple(dict(row) for row in scored["contest"]),
        calibration=calibration,
        notes=tuple(note for note in (timed["warning"], *scored["faults"]) if note),
        provenance={"bundle": bundle.digest, **bundle.meta.provenance, "recipe": recipe},
    )


def _summary(name: str, parameters: int, crops: int, split: str) -> str:
    return f"{name}, {parameters / 1e6:.2f} M parameters, scored on {crops:,} {split} crops that it was not trained on."


def _headline(
    f1: Interval, over: Coverage, crops: int, scored: run_files.Scored, latency: Sequence[Measurement], size: int
) -> tuple[Figure, ...]:
    figures = [Figure("macro-F1", f"{f1.value:.3f}", f"{over}, 95 % interval {f1.low:.3f} – {f1.high:.3f}")]
    for item in latency:
        if item.name.endswith(("decode to label", "model alone")):
            tail = f"median, p99 {item.percentiles['p99']:.2f} ms, " if item.percentiles else ""
            note = f"{tail}{item.threads} thread"
            figures.append(Figure(item.name.rpartition(": ")[2], f"{item.value:.2f} ms", note))
    figures.append(Figure("bundle size", f"{size / 1e6:.1f} MB", "one file, no PyTorch needed"))
    for row in scored["contest"]:
        if row["edition"] == "time" and row["list"] == "all":
            figures.append(
                Figure(
                    "contest score", f"{row['score']:.3f}", f"lower is better; {row['cost']:.1f} s for {crops:,} crops"
                )
            )
    return tuple(figures)


def _calibration(run: Path, predictions: Sequence[Prediction], truth: GroundTruth, split: str) -> dict[str, Any]:
    """What was fitted on val, and what it comes to on a split that it was not fitted on."""
    result = run_files.calibration(run, "report")
    pairs = [
        (prediction, label)
        for prediction, label in zip(predictions, truth.index.values(), strict=True)
        if not prediction.error
    ]
    if not result or split == "val" or not pairs:
        return result
    labels = np.asarray([label for _, label in pairs])
    wrong = [pair.label != truth.labels.names[label] for pair, label in pairs if pair.accepted]
    return {
        **result, "ece": expected_calibration_error(np.asarray([pair.probabilities for pair, _ in pairs]), labels),
        "split_coverage": len(wrong) / len(pairs), "split_error": fmean(wrong) if wrong else 0.0,
    }  # fmt: skip


def worst_mistakes(predictions: Sequence[Prediction], truth: GroundTruth, most: int = MOST_MISTAKES) -> list[Mistake]:
    """Pictures sorted wrong, the most confident first; `said` is in the order of `truth`."""
    names = list(truth.index)
    wrong = [
        (prediction.probability, name, prediction.label)
        for name, prediction in zip(names, predictions, strict=True)
        if not prediction.error and prediction.label != truth.labels.names[truth.index[name]]
    ]
    worst = sorted(wrong, key=lambda entry: (-entry[0], entry[1]))[:most]
    return [
        Mistake(name, _thumbnail(truth.files[name]), truth.labels.names[truth.index[name]], label, probability)
        for probability, name, label in worst
    ]


def _thumbnail(path: Path) -> bytes:
    try:
        bgr = THUMBNAIL(path)[:, :, ::-1]
    except LeansortError:
        return b""
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
