"""One plain paragraph: met or missed, by how much, and what would help most."""

from __future__ import annotations

from collections.abc import Sequence

from leansort.recipe.goal import LATENCY, SIZE
from leansort.search.objectives import F1
from leansort.workflows.deploy.target_limits import LimitResult
from leansort.workflows.finishing.run_result import RunResult
from leansort.workflows.solving.solve_result import Advice, StressFigures

_WORDS = {LATENCY: ("ms", "labels 99 of 100 photos within"), SIZE: ("MB", "takes")}


def solve_paragraph(
    result: RunResult,
    goal: Sequence[LimitResult],
    chosen: str,
    advice: Sequence[Advice],
    stressed: StressFigures | None,
    doubt: str = "",
) -> str:
    """Write the paragraph.

    Args:
        result: of the chosen bundle.
        goal: each limit of the goal, and whether it is met on the scored split.
        chosen: name of the recipe.
        advice: the most promising first.
        stressed: what is kept under stress.
        doubt: which recipes were left out by times that a busy machine gave; empty where none was.
    """
    met = all(item.met for item in goal)
    missed = [item for item in goal if not item.met]
    head = "The goal is met" if met else f"The goal is missed in {len(missed)} of {len(goal)} points"
    parts = [f"{head}: the bundle of the recipe {chosen} " + "; ".join(_told(item, result) for item in goal) + "."]
    if F1 not in [item.name for item in goal]:
        parts.append(f"Its macro-F1 is {result.macro_f1} on {_crops(result)}.")
    if result.split == "val":
        parts.append("There is no test split, and val also chose the bundle, so new photos will score a little lower.")
    if result.warning and any(item.name.endswith("_ms") for item in goal):
        parts.append(f"The latencies are uncertain: {result.warning}.")
    if doubt and not met:
        parts.append(f"Of the recipes that were not tried, {doubt}.")
    if stressed:
        parts.append(
            f"In bad conditions (level {stressed.level}) it keeps {100 * stressed.kept:.0f} % of its macro-F1 in the "
            f"mean; the worst is {stressed.worst}, with {stressed.worst_macro_f1:.3f}."
        )
    if advice:
        lead = "To be better still, what would help most is" if met else "What would help most is"
        parts.append(f"{lead} {advice[0].what}, because {advice[0].evidence}.")
        parts += [f"Next comes {item.what}, because {item.evidence}." for item in advice[1:3]]
    return " ".join(parts)


def _crops(result: RunResult) -> str:
    return f"{result.crops:,} {result.split} photos"


def _told(item: LimitResult, result: RunResult) -> str:
    if item.name == F1:
        f1, gap = result.macro_f1, item.value - item.limit
        known = "" if f1.low > item.limit or f1.high < item.limit else ", within what chance may do"
        return (
            f"reaches a macro-F1 of {f1} on {_crops(result)}, {abs(gap):.4f} "
            f"{'above' if gap >= 0 else 'below'} the {item.limit:g} that was asked{known}"
        )
    unit, what = {LATENCY: ("ms", "labels 99 of 100 photos within"), SIZE: ("MB", "takes")}.get(
        item.name, ("", item.name)
    )
    share = abs(item.value / item.limit - 1)
    times = f"{item.value / item.limit:.1f} times" if item.value > 2 * item.limit else f"{100 * share:.0f} %"
    far = f"{times} {'over' if item.value > item.limit else 'below'}" if times.endswith("%") else times
    return f"{what} {item.value:.3g} {unit}, {far} the {item.limit:g} {unit} that was allowed".replace("  ", " ")
