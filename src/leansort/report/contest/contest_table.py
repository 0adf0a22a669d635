"""A simulated contest as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from leansort.contest.contest_result import Contestant, ContestResult
from leansort.contest.formula_worth import EDITIONS, Edition
from leansort.contest.score_bootstrap import Choice
from leansort.core.text.columns import align_columns
from leansort.core.writing.escaping import printable

TITLES: dict[Edition, str] = {"time": "edition with time", "macs": "edition with MACs"}


def contest_text(result: ContestResult) -> str:
    """What was simulated, a table of scores and one of worth for each edition, the ranks, and the choices."""
    names = [f"{_letter(at)}  {printable(item.name)}" for at, item in enumerate(result.contestants)]
    parts = [_head(result), "\n".join(names)]
    for edition in EDITIONS:
        parts.append(f"{TITLES[edition]}, lower is better\n{_scores(result, edition)}")
        parts.append(_worth(result, edition))
        if result.changes:
            parts.append(_changes(result, edition))
    parts.append("\n".join(_cliff(at, item) for at, item in enumerate(result.contestants)))
    parts += ["\n".join(map(printable, result.notes))] if result.notes else []
    parts += ["\n".join(_choice(result, item) for item in result.choices)] if result.choices else []
    return "\n\n".join(parts)


def _head(result: ContestResult) -> str:
    sizes = " and ".join(f"{count:,} {name}" for name, count in result.list_crops.items())
    how = "crops as listed, each list" if result.lists_given else "crops in each list, both"
    return (
        f"{result.crops:,} crops of {printable(result.truth)}; {sizes} {how} resampled {result.draws:,} times "
        f"(seed {result.seed})"
    )


def _letter(at: int) -> str:
    return chr(ord("A") + at % 26)


def _scores(result: ContestResult, edition: Edition) -> str:
    ranks = [f"rank {number}" for number in range(1, len(result.contestants) + 1)] if result.changes else []
    rows = [["", "list", "macro-F1 (95 %)", "score (95 %)", *ranks]]
    for at, item in enumerate(result.contestants):
        for row in item.standings:
            if row.edition == edition:
                chances = [f"{chance:.0%}" for chance in row.rank_chances] if result.changes else []
                rows.append([_letter(at), row.list, str(row.f1), str(row.score), *chances])
    return align_columns(rows, left=2)


def _worth(result: ContestResult, edition: Edition) -> str:
    worths = [worth for item in result.contestants for worth in item.worth if worth.edition == edition]
    unit = worths[0].unit
    rows = [["", "macro-F1", unit, "score", "a point more", "a point less", f"1 {unit}", f"a point is worth, {unit}",
             "half the cost"]]  # fmt: skip
    for at, (item, worth) in enumerate(zip(result.contestants, worths, strict=True)):
        cost = item.seconds if edition == "time" else item.macs / 1e6
        rows.append([
            _letter(at), f"{item.f1:.4f}", f"{cost:.3f}", f"{worth.score:.4f}", f"{-worth.point_more:+.4f}",
            f"{worth.point_less:+.4f}", f"{worth.unit_cost:+.4f}", f"{worth.point_in_units:.3f}",
            f"{-worth.cost_part / 2:+.4f}",
        ])  # fmt: skip
    return align_columns(rows, left=1)


def _changes(result: ContestResult, edition: Edition) -> str:
    rows = [["pair", "first is better, public", "private", "order changes between the lists"]]
    for item in result.changes:
        if item.edition == edition:
            chances = (item.a_better_public, item.a_better_private, item.changed)
            rows.append([f"{_letter(item.a)} {_letter(item.b)}", *(f"{chance:.1%}" for chance in chances)])
    return align_columns(rows, left=1)


def _cliff(at: int, item: Contestant) -> str:
    cliff = item.cliff
    return (
        f"{_letter(at)}: macro-F1 is {cliff.distance:+.4f} from the step at {cliff.cliff:g} of the MACs edition "
        f"(margin {cliff.margin:g}); {cliff.fall_chance:.1%} of the resampled lists fall below it"
    )


def _choice(result: ContestResult, item: Choice) -> str:
    return (
        f"{TITLES[item.edition]}: {_letter(item.chosen)} is the best, {item.score:.4f} on the crops that chose it. "
        f"Choosing by them makes that too good by {item.optimism:.4f} on average: expect {item.expected:.4f}; "
        f"{item.same:.0%} of the resampled lists choose it"
    )


def warning_lines(result: ContestResult) -> Iterable[str]:
    """The warnings, a line each."""
    return [f"warning: {line}" for line in result.warnings]
