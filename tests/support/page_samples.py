"""Pages with something in every part, for tests of what a page shows and of how a browser lays it out."""

from __future__ import annotations

import cv2
import numpy as np

from leansort.contest.score_result import UnknownScore
from leansort.measure.accuracy.metrics import (
    ClassScore,
    Interval,
    confusion,
    coverage,
    macro_f1_interval,
    paired_difference,
    per_class,
)
from leansort.measure.accuracy.reliability import accepted_fractions, reliability
from leansort.measure.accuracy.unknowns import score_method
from leansort.measure.comparison.changed_answers import changed_answers
from leansort.measure.comparison.class_differences import class_differences
from leansort.measure.comparison.class_intervals import class_intervals
from leansort.measure.comparison.comparison_result import ComparedClassifier, ComparisonResult, LatencyComparison
from leansort.measure.comparison.mcnemar import paired_counts
from leansort.measure.comparison.multiple_comparison import MultipleComparisonResult
from leansort.measure.comparison.reference_comparison import ComparedMember, ReferenceComparison
from leansort.measure.measurement import Measurement
from leansort.measure.robustness.stress_result import KindScore, LevelScore, StressedBundle, StressSummary
from leansort.report.content import Figure, Mistake, Report
from leansort.report.parts.evidence_content import (
    CellPhoto,
    DataHealth,
    Doubt,
    EvidencePicture,
    GoalRow,
    MatrixCell,
    PageEvidence,
    PassStep,
    TriedResult,
)

NAMES = ("cardboard", "glass", "metal", "paper", "plastic", "trash")


def jpeg(shade: int) -> bytes:
    """A small picture."""
    return cv2.imencode(".jpg", np.full((32, 32, 3), shade, np.uint8))[1].tobytes()


def answers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, predictions and confidences of 360 crops."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(len(NAMES)), 60)
    predicted = np.where(rng.random(len(truth)) < 0.8, truth, rng.integers(0, len(NAMES), len(truth)))
    return truth, predicted, np.where(predicted == truth, 0.9, 0.6) + rng.random(len(truth)) / 10


def latency(name: str, ms: float) -> Measurement:
    """A latency whose distribution was kept."""
    spread = np.quantile(ms * (1 + np.random.default_rng(1).gamma(1, 0.1, 500)), np.linspace(0, 1, 41))
    return Measurement(
        name=f"model: {name}", value=ms, unit="ms", low=0.95 * ms, high=1.05 * ms, count=500,
        percentiles={"p50": ms, "p90": 1.2 * ms, "p99": 1.5 * ms}, quantiles=tuple(spread.tolist()),
        host={"cpu": "Z80", "cores": 2},
    )  # fmt: skip


def stressed() -> StressedBundle:
    """Severity curves of two kinds."""

    def level(at: int, f1: float) -> LevelScore:
        return LevelScore(at, Interval(f1, f1 - 0.03, f1 + 0.03), f1, 0.9, f1 / 0.8)

    kinds = tuple(
        KindScore(kind, 360, level(0, 0.8), tuple(level(at, 0.8 - at * fall) for at in (1, 3, 5)))
        for kind, fall in (("darker", 0.02), ("motion_blur", 0.08))
    )
    return StressedBundle(
        "model.leansort",
        "ab" * 16,
        "onnxruntime",
        level(0, 0.8),
        kinds,
        StressSummary(3, 0.65, 0.81, "motion_blur", 0.56),
    )


def tried() -> tuple[TriedResult, ...]:
    """A compression of two steps, one refused, and a trial."""
    return (
        TriedResult("tried-step-start", "before compression", "start", 0.81, (0.77, 0.85), 4.1, 9.5),
        TriedResult("tried-step-1-prune", "step 1-prune", "accepted", 0.80, (0.76, 0.84), 0.6, 4.0, "kept to", True),
        TriedResult("tried-step-2-quantize", "step 2-quantize", "refused", 0.4, note="too much"),
        TriedResult("tried-trial-3", "trial 3", "trained", 0.7, None, 1.0, 5.0),
    )


def everything() -> PageEvidence:
    """Something in every part."""
    truth, predicted, confidences = answers()
    right = predicted == truth
    rng = np.random.default_rng(2)
    methods = (score_method("energy", rng.random(80), rng.random(40) + 0.4, np.ones(80, bool), draws=20),)
    photos = tuple(CellPhoto(f"some/long_folder/name-{at}.jpg", jpeg(40 * at), 0.9) for at in range(3))
    found = EvidencePicture(jpeg(99), "evidence for glass, most in the upper left: covering lowers 0.97 to 0.41")
    return PageEvidence(
        goal=(
            GoalRow("macro-F1", "at least 0.75", "0.7990 (95 % 0.7560 – 0.8400)", "met", "goal.macro_f1"),
            GoalRow("size", "at most 0.1 MB", "0.56 MB", "not met", "goal.size_mb"),
        ),
        tried=tried(),
        intervals=tuple(class_intervals(truth, predicted, len(NAMES), draws=50)),
        cells={(0, 1): MatrixCell(photos, 5), (2, 2): MatrixCell(photos[:1], 50)},
        cell_limits="At most three.",
        evidence={"a/b_c.jpg": found},
        doubts=(Doubt("d.jpg", jpeg(7), "glass", "plastic", "in train, glass 0.010, plastic 0.970", found),),
        bins=tuple(reliability(confidences, right)),
        accepted=tuple(accepted_fractions(confidences, right)),
        unknown=UnknownScore("photos", 80, 40, "energy", True, methods),
        stress=stressed(),
        passes=(PassStep("start", 4.1, {"onnxruntime": 9.5}), PassStep("1-prune", 0.6, {"onnxruntime": 4.0})),
        data=DataHealth(
            {"train": dict.fromkeys(NAMES, 100), "val": dict.fromkeys(NAMES, 60)},
            (("truncated", 3, ("a.jpg", "b.jpg")),), ("600 crops in 580 groups.",),
        ),
        commands=(("This page again", f"leansort report 'runs/my run' --out {'some/very/long/path/' * 6}page.html"),),
        missing={"training": "The training left no record.", "goal": "never shown"},
    )  # fmt: skip


def full_report() -> Report:
    """A report whose every part but the training is there."""
    truth, predicted, _ = answers()
    classes: tuple[ClassScore, ...] = tuple(per_class(truth, predicted, NAMES))
    return Report(
        title="Belt 3",
        summary="A network, scored.",
        headline=(Figure("macro-F1", "0.812", "95 % interval"), Figure("decode to label", "4.31 ms")),
        f1=macro_f1_interval(truth, predicted, len(NAMES), draws=50), split="test", crops=len(truth), classes=classes,
        matrix=tuple(map(tuple, confusion(truth, predicted, len(NAMES)).tolist())),
        mistakes=(
            Mistake("a/b_c.jpg", jpeg(40), "paper", "glass", 0.974),
            Mistake("e.jpg", b"", "glass", "paper", 0.5),
        ),
        history=(), latency=(latency("model alone", 1.8), latency("decode to label", 4.3)),
        notes=("one picture was skipped",),
        provenance={"bundle": "9f2c" * 16, "recipe": {"train": {"epochs": 12}}},
        more=everything(),
    )  # fmt: skip


def two_compared() -> ComparisonResult:
    """A comparison of two bundles that disagree on some crops."""
    truth, first, _ = answers()
    second = np.where(np.arange(len(truth)) % 7 == 0, truth, first)
    names = [f"some/long_folder/photo-{at}.jpg" for at in range(len(truth))]
    sides = [dict(zip(names, (NAMES[at] for at in labels), strict=True)) for labels in (truth, first, second)]
    a, b = (
        ComparedClassifier(
            f"{side}.leansort", "bundle", size, 10, 10.0, "ab" * 16, "onnxruntime", 1,
            macro_f1_interval(truth, labels, len(NAMES), draws=50), float((truth == labels).mean()),
        )
        for side, size, labels in (("old", 4_100_000, first), ("new", 600_000, second))
    )  # fmt: skip
    times = LatencyComparison(
        "decode to label", latency("decode to label", 4.3), latency("decode to label", 2.1), Interval(2.0, 1.9, 2.1)
    )
    return ComparisonResult(
        a=a, b=b, truth="runs/first (val)", crops=len(truth), macro_f1_classes=coverage(NAMES, [60] * len(NAMES)),
        difference=paired_difference(truth, first, second, len(NAMES), 50), counts=paired_counts(truth, first, second),
        classes=tuple(class_differences(truth, first, second, NAMES, 50)), latencies=(times,), seed=0, draws=50,
        machine="a machine", notes=("one crop was left out",), changes=changed_answers(names, *sides),
    )  # fmt: skip


def several_compared() -> MultipleComparisonResult:
    """A comparison of two bundles with a third one, and with a file of answers."""
    truth, first, _ = answers()
    names = [f"some/long_folder/photo-{at}.jpg" for at in range(len(truth))]
    labels = [
        first,
        *(np.where(np.arange(len(truth)) % step == 0, truth, first) for step in (7, 11)),
        np.roll(first, 2),
    ]
    files = (
        ("runs/a_long_name_of_a_run/model.leansort", 4_100_000, 4.3), ("new.leansort", 600_000, 2.1),
        ("small.leansort", 400_000, 2.6), ("answers.csv", None, 0.0),
    )  # fmt: skip
    members = [
        ComparedMember(
            name,
            ComparedClassifier(
                path, "bundle" if size else "predictions", size, 10 if size else None, 10.0 if size else None,
                "ab" * 16 if size else "", "onnxruntime" if size else "", int(bool(size)),
                macro_f1_interval(truth, said, len(NAMES), draws=50), float((truth == said).mean()),
            ),
            tuple(latency(what, ms) for what in ("decode to label", "model alone")) if size else (),
            name != "A" if size else None,
        )
        for name, (path, size, ms), said in zip("ABCD", files, labels, strict=True)
    ]  # fmt: skip
    by_name = [dict(zip(names, (NAMES[at] for at in said), strict=True)) for said in (truth, *labels)]
    others = tuple(
        ReferenceComparison(
            member, paired_difference(truth, first, said, len(NAMES), 50), counts := paired_counts(truth, first, said),
            min(1.0, 3 * counts.p_value), tuple(class_differences(truth, first, said, NAMES, 50)),
            (Interval(2.0, 1.9, 2.1),) if member.latencies else (),
            changed_answers(names, by_name[0], by_name[1], labelled),
        )
        for member, said, labelled in zip(members[1:], labels[1:], by_name[2:], strict=True)
    )  # fmt: skip
    return MultipleComparisonResult(
        reference=members[0], others=others, truth="runs/first (val)", crops=len(truth),
        macro_f1_classes=coverage(NAMES, [60] * len(NAMES)), front_criteria=("macro-F1", "latency", "size"), seed=0,
        draws=50, machine="a machine", notes=("one crop was left out",), warning="",
    )  # fmt: skip
