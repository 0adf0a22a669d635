"""Every network that was tried on the way to a bundle: the steps of its compression, the trials of its search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leansort.compress.pipeline.compress_result import CompressResult, PipelineStep
from leansort.measure.measurement import Measurement
from leansort.report.parts.evidence_content import PassStep, TriedResult
from leansort.search.study_result import StudyResult
from leansort.search.trials.trial_records import TrialRecord
from leansort.workflows.deploy.evidence.further_results import JudgedCandidate

MOST_TRIALS = 400  # shown; those beyond are counted


def tried_steps(result: CompressResult) -> list[TriedResult]:
    """The start and every step; of a refused step no bundle was kept, so that it has no size."""
    ms = fastest_latencies(result)
    last = result.held[-1].name
    return [_step(step, ms.get(step.name), step.name == last) for step in result.steps]


def tried_trials(study: StudyResult, here: str) -> list[TriedResult]:
    """The trials of a search, as many as are shown.

    Args:
        study: the search.
        here: digest of the run's recipe, or its beginning; empty where the run is no trial.
    """
    return [_trial(record, bool(here) and record.digest.startswith(here)) for record in study.trials[:MOST_TRIALS]]


def tried_candidates(judged: Sequence[tuple[JudgedCandidate, bool]]) -> list[TriedResult]:
    """The recipes that a solve tried, and whether each is the run's."""
    return [
        TriedResult(
            anchor=f"tried-candidate-{number}",
            name=f"recipe {item.name}",
            outcome="trained whole" if item.fraction >= 1 else f"trained for {item.fraction:.0%} of its epochs",
            macro_f1=item.macro_f1.value,
            interval=(item.macro_f1.low, item.macro_f1.high),
            size_mb=item.bytes / 1e6,
            here=here,
        )
        for number, (item, here) in enumerate(judged, 1)
    ]


def pass_steps(result: CompressResult) -> tuple[PassStep, ...]:
    """What the pipeline held after each accepted step."""
    timed: dict[str, dict[str, float]] = {}
    for item in result.latency:
        timed.setdefault(item.step, {})[item.engine] = item.value
    return tuple(PassStep(step.name, step.bytes / 1e6, timed.get(step.name, {})) for step in result.held)


def fastest_latencies(result: CompressResult) -> Mapping[str, float]:
    """Median latency of each step's bundle on the engine that runs it fastest, in ms."""
    times: dict[str, float] = {}
    for item in result.latency:
        times[item.step] = min(item.value, times.get(item.step, item.value))
    return times


def _step(step: PipelineStep, ms: float | None, here: bool) -> TriedResult:
    f1 = step.verdict.macro_f1 if step.verdict else None
    held = step.is_held
    return TriedResult(
        anchor=f"tried-step-{step.name}",
        name="before compression" if step.state == "start" else f"step {step.name}",
        outcome=step.state if step.state == "start" else f"{step.state}, strength {100 * step.fraction:.0f} %",
        macro_f1=f1.value if f1 else None,
        interval=(f1.low, f1.high) if f1 else None,
        size_mb=step.bytes / 1e6 if held else None,
        ms=ms if held else None,
        note=step.reason,
        here=here,
    )


def _trial(record: TrialRecord, here: bool) -> TriedResult:
    outcome = record.outcome
    timed: dict[str, Measurement] = {item.name: item for item in outcome.measurements}
    ms = outcome.costs.get("model_p50_ms", timed["model"].value if "model" in timed else None)
    return TriedResult(
        anchor=f"tried-trial-{record.number}",
        name=f"trial {record.number}",
        outcome=outcome.kind if record.feasible or outcome.kind != "trained" else "trained, beyond a limit",
        macro_f1=outcome.f1 if outcome.epochs else None,
        interval=outcome.f1_interval,
        size_mb=outcome.costs.get("size_mb"),
        ms=ms,
        note=outcome.note,
        here=here,
    )
