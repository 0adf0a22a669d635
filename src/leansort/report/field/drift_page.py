"""The page of a watch: its level, each statistic and class share over time, alarms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

from leansort.report.charts import plots
from leansort.report.tables import Table, render_page
from leansort.runtime.drift.drift_status import DriftAlarm, DriftSettings, DriftStatus
from leansort.runtime.drift.drift_watch import CLASSES

MOST_POINTS = 400  # of a curve
_CERTAIN = 1e12  # evidence above which a curve is cut: the rest would flatten what lies below
State = Mapping[str, JsonValue]


def draw_page(
    title: str,
    status: DriftStatus,
    alarms: Sequence[DriftAlarm],
    states: Iterable[State],
    settings: DriftSettings,
) -> str:
    """Lay a watch out as a page.

    Args:
        title: name of the model.
        status: where the watch stands.
        alarms: all of them.
        states: where it stood, one after the other; thinned out as they are read.
        settings: that the alarms' rates come from.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    kept = thin_out(states)
    changed = [item.name for item in status.statistics if item.level != "green"]
    cards = [
        ("level", status.level, ", ".join(changed) or "nothing has changed"),
        ("photos", f"{status.photos:,}", f"{status.unreadable:,} could not be read"),
        ("false red alarms", f"{settings.red:g}", "probability of ever one, of photos like val's"),
        ("false yellow alarms", f"{settings.yellow:g}", "the same"),
    ]
    lead = (
        "Photos in the field against val, without labels. Evidence is what betting against “nothing has changed” has "
        f"made of 1; it raises an alarm at {len(status.statistics) / settings.yellow:,.0f} (yellow) and "
        f"{len(status.statistics) / settings.red:,.0f} (red)."
    )
    tables = [table for table in (_alarms(alarms), _statistics(status), _shares(status)) if table.rows]
    return render_page("watch", title, lead, cards, tables, drawings=_drawings(status, kept))


def thin_out(states: Iterable[State]) -> list[State]:
    """Some states, evenly taken, the last one among them; never more than twice as many are held at once."""
    kept: list[State] = []
    last, step = None, 1
    for number, state in enumerate(states):
        last = state
        if number % step == 0:
            kept.append(state)
        if len(kept) > 2 * MOST_POINTS:
            kept, step = kept[::2], step * 2
    return kept if last is None or kept[-1] is last else [*kept, last]


def _drawings(status: DriftStatus, states: Sequence[State]) -> list[tuple[str, str]]:
    """Curves by kind, so that those to be compared stand side by side whatever fits into a row."""
    drawn = []
    for item in status.statistics:
        if item.name != CLASSES:
            recent = _line(states, "recent", item.name)
            drawn.append((f"{item.name}, mean of about 100 photos", item.name, recent))
    for share in status.shares:
        line = [(x, 100 * y) for x, y in _line(states, "shares", share.name)]
        drawn.append((f"share of {share.name}, corrected, %", share.name, line))
    for item in status.statistics:
        evidence = [(x, math.log10(max(1e-6, min(y, _CERTAIN)))) for x, y in _line(states, "evidence", item.name)]
        drawn.append((f"{item.name}: evidence, log10", "evidence, log10", evidence))
    return [(caption, plots.curve(name, line, axis="photo")) for caption, name, line in drawn if len(line) > 1]


def _line(states: Sequence[State], kind: str, name: str) -> list[tuple[float, float]]:
    points = []
    for state in states:
        values, photo = state.get(kind), state.get("photo")
        value = values.get(name) if isinstance(values, dict) else None
        if plots.finite(value) and plots.finite(photo):
            points.append((float(photo), float(value)))
    return points


def _alarms(alarms: Sequence[DriftAlarm]) -> Table:
    rows = [
        [
            f"{item.photo:,}",
            item.level,
            item.statistic,
            item.change,
            f"{item.since:,}",
            f"{item.evidence:.3g}",
            item.image,
        ]
        for item in alarms
    ]
    hint = "Each is raised once: by the first photo after which the evidence reaches the limit."
    head = ["photo", "level", "statistic", "change", "since about", "evidence", "image"]
    return Table("Alarms", hint, head, rows, words=(1, 2, 3, 6))


def _statistics(status: DriftStatus) -> Table:
    rows = [
        [
            item.name,
            item.level,
            f"{item.evidence:.3g}",
            *("" if value is None else f"{value:.4g}" for value in (item.recent, item.low, item.median, item.high)),
        ]
        for item in status.statistics
    ]
    hint = "Recent is the mean of about the last 100 photos; the last three columns are quantiles of val."
    return Table("Statistics", hint, ["", "level", "evidence", "recent", "2.5 %", "50 %", "97.5 %"], rows, words=(1,))


def _shares(status: DriftStatus) -> Table:
    kinds = ("val", "counted", "corrected", "by_confusion", "margin")
    rows = [[item.name, *(f"{getattr(item, kind):.1%}" for kind in kinds)] for item in status.shares]
    hint = (
        f"Over the latest {status.window:,} photos. Corrected: by expectation maximization (Saerens et al. 2002); by "
        "confusion: by val's confusion matrix (Lipton et al. 2018), ± what the numbers of photos make uncertain. Where "
        "both differ by more than that, more than shares has changed."
    )
    head = ["class", "val", "labels given", "corrected", "by confusion", "±"]
    return Table("Class shares", hint, head, rows)
