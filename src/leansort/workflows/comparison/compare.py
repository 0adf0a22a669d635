"""`leansort compare`: is B as good as A on the same crops, and is it faster?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leansort.core.errors import UserError
from leansort.core.process.console import say
from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.ground_truth import GroundTruth, read_ground_truth
from leansort.measure.accuracy.metrics import Ints
from leansort.measure.comparison.changed_answers import changed_answers
from leansort.measure.comparison.class_differences import class_differences
from leansort.measure.comparison.comparison_result import ComparedClassifier, ComparisonResult
from leansort.measure.comparison.mcnemar import paired_counts
from leansort.measure.engine_selection import engine_choice
from leansort.runtime import engine as engines
from leansort.runtime.autobatch import usable_cores
from leansort.runtime.predictor import Classifier
from leansort.workflows.comparison import bundle_latencies
from leansort.workflows.comparison.answer_files import AnswerFile, by_picture, read_answers, require_same_classes
from leansort.workflows.comparison.comparison_report import require_page, write_comparison

DRAWS = 2000  # bootstrap resamples


@dataclass(frozen=True)
class _Side:
    """One side: its file, the classifier of a bundle, and its answers."""

    file: AnswerFile
    classifier: Classifier | None
    threads: int
    labels: Mapping[str, str]


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
    first, second = read_answers(a, "A"), read_answers(b, "B")
    engine_b = engine if engine_b is None else engine_b
    _require_different(first, second, engine == engine_b)
    _require_used(first, second, engine, engine_b)
    ground_truth = _ground_truth(first, second, truth, split)
    sides, notes = [], list(ground_truth.notes)
    for file, runs_on in ((first, engine), (second, engine_b)):
        side, more = _answered(file, runs_on, threads, ground_truth)
        sides.append(side)
        notes += more
    names = [name for name in ground_truth.index if all(name in side.labels for side in sides)]
    notes += [line for side in sides if (line := _left_out(side, ground_truth))]
    if not names:
        raise UserError(f"compare: A and B have no answer for the same picture of {ground_truth.where}; {notes[0]}")
    timed = bundle_latencies.NOT_TIMED
    if seconds and sides[0].classifier and sides[1].classifier:
        say("compare: timing both bundles in turns")
        pictures = [ground_truth.files[name] for name in names]
        timed = bundle_latencies.time_bundles(
            sides[0].classifier,
            sides[1].classifier,
            pictures,
            threads=(sides[0].threads, sides[1].threads),
            seconds=seconds,
            queries=queries,
        )
    result = _result(sides[0], sides[1], ground_truth, names, seed, tuple(notes), timed)
    if page:
        write_comparison(result, ground_truth, page)
    return result


def _require_different(a: AnswerFile, b: AnswerFile, same_engine: bool) -> None:
    if not same_engine and a.bundle and b.bundle:
        return  # one bundle on two engines is a comparison, too
    if a.path.samefile(b.path):
        raise UserError(f"compare: A and B are the same file, {a.path}")
    if a.bundle and b.bundle and a.bundle.digest == b.bundle.digest:
        raise UserError(f"compare: A ({a.path}) and B ({b.path}) are the same bundle, {a.bundle.digest}")


def _require_used(a: AnswerFile, b: AnswerFile, engine: str, engine_b: str) -> None:
    """Refuse an engine where there is nothing that it could run."""
    if engine and not (a.bundle or b.bundle):
        raise UserError("compare: --engine has no effect, as neither A nor B is a bundle")
    if engine_b != engine and not b.bundle:
        raise UserError(f"compare: --engine-b has no effect, as B ({b.path}) is no bundle")


def _ground_truth(a: AnswerFile, b: AnswerFile, path: Path, split: str) -> GroundTruth:
    """The right answers, with the classes of the bundles, or with those that the answers name besides."""
    known = [file for file in (a, b) if file.bundle]
    if not known:
        return read_ground_truth(path, split).among([*a.labels.values(), *b.labels.values()])
    labels = known[0].bundle.labels if known[0].bundle else None
    truth = read_ground_truth(path, split, labels)
    for file in known:
        assert file.bundle
        require_same_classes(file.bundle.meta.labels, truth.labels.names, file.side, truth.where)
    if len(known) == 1:
        return truth.among((b if known[0] is a else a).labels.values())
    return truth


def _answered(file: AnswerFile, engine: str, threads: int, truth: GroundTruth) -> tuple[_Side, list[str]]:
    if file.bundle is None:
        labels, notes = by_picture(file, truth)
        return _Side(file, None, 0, labels), notes
    classifier = engine_choice.classifier_of(file.bundle, engine, threads=threads, say=say)
    threads = int(engines.parse_engine(engine)[1].get("threads") or threads)
    say(f"compare: {file.side} classifies {len(truth.files):,} crops on {classifier.engine_name}")
    results = classifier.predict_many(truth.files.values(), batch=1, threads=usable_cores())
    by_name = dict(zip(truth.files, results, strict=True))
    faults = [f"{name}: {item.error}" for name, item in by_name.items() if item.error]
    if len(faults) == len(by_name):
        raise UserError(f"compare: {file.side} could classify none of the {len(faults)} pictures, first {faults[0]}")
    labels = {name: item.label for name, item in by_name.items() if not item.error}
    return _Side(file, classifier, threads, labels), [f"{file.side}: unreadable {fault}" for fault in faults]


def _left_out(side: _Side, truth: GroundTruth) -> str:
    missing = [name for name in truth.index if name not in side.labels]
    if not missing:
        return ""
    return (
        f"{side.file.side} has no answer for {len(missing):,} of {len(truth.index):,} crops, first {missing[0]}; "
        "they are left out for both"
    )


def _result(
    a: _Side,
    b: _Side,
    truth: GroundTruth,
    names: list[str],
    seed: int,
    notes: tuple[str, ...],
    timed: bundle_latencies.BundleLatencies,
) -> ComparisonResult:
    classes = truth.labels.names
    t = np.array([truth.index[name] for name in names])
    p, q = (
        np.array([truth.labels.index(side.labels[name], f"answer of {side.file.side} for {name}") for name in names])
        for side in (a, b)
    )
    return ComparisonResult(
        a=_compared(a, t, p, len(classes), seed),
        b=_compared(b, t, q, len(classes), seed),
        truth=truth.where,
        crops=len(names),
        macro_f1_classes=metrics.coverage(classes, np.bincount(t, minlength=len(classes)).tolist()),
        difference=metrics.paired_difference(t, p, q, len(classes), DRAWS, seed),
        counts=paired_counts(t, p, q),
        classes=tuple(class_differences(t, p, q, classes, DRAWS, seed)),
        latencies=timed.latencies,
        seed=seed,
        draws=DRAWS,
        machine=timed.machine,
        notes=notes,
        warning=timed.warning,
        changes=changed_answers(
            names, *({name: classes[at] for name, at in zip(names, labels, strict=True)} for labels in (t, p, q))
        ),
    )


def _compared(side: _Side, truth: Ints, predicted: Ints, classes: int, seed: int) -> ComparedClassifier:
    file, meta = side.file, side.file.bundle.meta if side.file.bundle else None
    return ComparedClassifier(
        path=str(file.path),
        kind=file.kind,
        size_bytes=file.path.stat().st_size if meta else None,
        parameters=meta.parameters if meta else None,
        macs=meta.macs if meta else file.macs,
        digest=file.bundle.digest if file.bundle else "",
        engine=side.classifier.engine_name if side.classifier else "",
        threads=side.threads,
        macro_f1=metrics.macro_f1_interval(truth, predicted, classes, DRAWS, seed),
        accuracy=float((truth == predicted).mean()),
        stated_seconds=file.seconds,
    )
