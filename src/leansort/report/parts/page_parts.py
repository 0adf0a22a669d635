"""Which parts a run's page has, and the drawings in them."""

from __future__ import annotations

from leansort.report.charts.reliability_chart import accepted_chart, reliability_chart
from leansort.report.content import Report
from leansort.report.parts import part_drawings
from leansort.report.parts.evidence_content import PageEvidence


def parts_of(report: Report, trained: bool) -> list[str]:
    """Ids of the parts that the page has.

    Args:
        report: what to show.
        trained: whether there is anything of the training.
    """
    more = report.more
    there = {
        "goal": more.goal,
        "target": report.limits and not more.goal,
        "notes": report.notes,
        "classes": report.classes,
        "confusion": report.matrix,
        "mistakes": report.mistakes,
        "doubts": more.doubts,
        "confidence": report.calibration or more.bins,
        "unknown": more.unknown,
        "stress": more.stress,
        "tried": more.tried,
        "passes": len(more.passes) > 1,
        "training": trained,
        "latency": report.latency,
        "contest": report.contest,
        "data": more.data,
        "commands": more.commands,
        "provenance": report.provenance,
    }
    return [part for part, content in there.items() if content]


def drawings_of(report: Report) -> dict[str, object]:
    """The drawings of the further parts, and the sentence over those of stress."""
    more = report.more
    return {
        "pareto": part_drawings.pareto_plots(more.tried),
        "pass_drawings": part_drawings.pass_waterfalls(more.passes),
        "stress_drawings": part_drawings.stress_plots(more.stress),
        "stress_hint": stress_hint(more),
        "spread_drawings": part_drawings.spread_plots(report.latency),
        "accepted_drawings": _accepted(more),
    }


def _accepted(more: PageEvidence) -> list[tuple[str, str]]:
    drawn = [("Confidence against accuracy", reliability_chart(more.bins))] if more.bins else []
    return [*drawn, ("Accuracy of the surest labels", accepted_chart(more.accepted))] if more.accepted else drawn


def stress_hint(more: PageEvidence) -> str:
    """What a stress test comes to, in a sentence; empty where there is none."""
    if more.stress is None:
        return ""
    summary = more.stress.summary
    return (
        f"Macro-F1 by level of trouble, with 95 % intervals. At level {summary.level} the mean over the "
        f"{len(more.stress.kinds)} kinds is {summary.macro_f1:.3f}, {summary.kept:.0%} of the clean one; worst is "
        f"{summary.worst.replace('_', ' ')}, {summary.worst_macro_f1:.3f}."
    )
