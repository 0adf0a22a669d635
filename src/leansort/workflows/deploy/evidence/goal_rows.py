"""What was asked for beside what was reached: the goal of a recipe, and the limits of its target."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from leansort.measure.accuracy.metrics import Interval
from leansort.measure.measurement import Measurement
from leansort.report.parts.evidence_content import GoalRow
from leansort.workflows.deploy.bench import WHOLE
from leansort.workflows.deploy.target_limits import LimitResult

MET, FAILED = "met", "not met"
MACRO_F1 = "macro_f1"


class RunGoal(BaseModel):
    """The part of a recipe's goal that a page compares; what else is there is passed over.

    Attributes:
        macro_f1: the least that is wanted.
        p99_ms: the most from encoded photo to label.
        size_mb: the most that the bundle may weigh.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    macro_f1: float | None = None
    p99_ms: float | None = None
    size_mb: float | None = None


def goal_rows(goal: RunGoal | None, macro_f1: Interval, size: int, latency: Sequence[Measurement]) -> list[GoalRow]:
    """A row for each number of a goal.

    Args:
        goal: None where there is none.
        macro_f1: on the scored split.
        size: of the bundle's file, in bytes.
        latency: of the bundle alone.
    """
    rows = []
    if goal and goal.macro_f1 is not None:
        verdict = _f1_verdict(goal.macro_f1, macro_f1)
        rows.append(GoalRow("macro-F1", f"at least {goal.macro_f1:g}", str(macro_f1), verdict, "goal.macro_f1"))
    if goal and goal.p99_ms is not None:
        rows.append(_p99(goal.p99_ms, latency))
    if goal and goal.size_mb is not None:
        verdict = MET if size / 1e6 <= goal.size_mb else FAILED
        rows.append(GoalRow("size", f"at most {goal.size_mb:g} MB", f"{size / 1e6:.3g} MB", verdict, "goal.size_mb"))
    return rows


def limit_rows(limits: Sequence[LimitResult], macro_f1: Interval) -> list[GoalRow]:
    """A row for each limit of a target."""
    return [_limit(item, macro_f1) for item in limits]


def _limit(item: LimitResult, macro_f1: Interval) -> GoalRow:
    source = f"target.limits.{item.name}"
    if item.name == MACRO_F1:
        verdict = _f1_verdict(item.limit, macro_f1)
        return GoalRow("macro-F1", f"at least {item.limit:g}", str(macro_f1), verdict, source)
    verdict = MET if item.met else FAILED
    unit = " ms" if item.name.endswith("_ms") else " MB" if item.name.endswith("_mb") else ""
    name = item.name.removesuffix("_ms").removesuffix("_mb").replace("_", " ")
    return GoalRow(name, f"at most {item.limit:,g}{unit}", f"{item.value:,.4g}{unit}", verdict, source)


def _f1_verdict(least: float, macro_f1: Interval) -> str:
    if macro_f1.value < least:
        return FAILED
    return MET if macro_f1.low >= least else f"{MET}, but not surely: {macro_f1.low:.3f} is possible"


def _p99(most: float, latency: Sequence[Measurement]) -> GoalRow:
    item = next((item for item in latency if item.percentiles and item.name.endswith(WHOLE)), None)
    if item is None:
        return GoalRow(f"p99, {WHOLE}", f"at most {most:g} ms", "not measured", "not known", "goal.p99_ms")
    p99 = item.percentiles["p99"]
    reached = f"{p99:.3g} ms, of {item.count:,} calls"
    return GoalRow(f"p99, {WHOLE}", f"at most {most:g} ms", reached, MET if p99 <= most else FAILED, "goal.p99_ms")
