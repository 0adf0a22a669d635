"""One self-contained HTML page from a `Report`: no script, no request, opens from disk, prints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leansort.core.writing.escaping import printable
from leansort.measure.accuracy.calibration import Calibration
from leansort.measure.measurement import Measurement
from leansort.report import templates
from leansort.report.charts import plots
from leansort.report.content import Report
from leansort.report.parts.contents import contents
from leansort.report.parts.page_parts import drawings_of, parts_of
from leansort.report.parts.provenance_rows import ABSENT, provenance_groups

STRONGEST = 0.55  # of the shade: below it the cell's ordinary text colour keeps its contrast, in light and in dark


@dataclass(frozen=True)
class Confusion:
    """Crops of one class that were taken for another.

    Attributes:
        truth: the true class.
        predicted: the class that they were taken for.
        count: number of these crops.
        of: number of all crops of the true class.
    """

    truth: str
    predicted: str
    count: int
    of: int


@dataclass(frozen=True)
class Training:
    """The learning curves and the sentence above them."""

    sentence: str
    drawings: tuple[tuple[str, str], ...]


def render(report: Report) -> str:
    """Lay a report out as a page.

    Args:
        report: what to show; sections without content are left out.

    Returns:
        A whole HTML document, the same for the same report.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    loaded = templates.environment()
    loaded.filters.update(fixed=fixed, figure=figure, base64=templates.base64_of, pieces=_pieces)
    trained = training(report.history, report.probe)
    present, absent = contents(parts_of(report, bool(trained)), report.more.missing)
    page: str = loaded.get_template("page.html.j2").render(
        report=report,
        present=present,
        absent=absent,
        **drawings_of(report),
        marks=marks(report),
        confused=most_frequent_confusion(report),
        upright=len(report.classes) > 8 or any(len(item.name) > 14 for item in report.classes),
        shade=shade,
        floor=plots.f1_floor([report.f1.low, *(item.f1 for item in report.classes if item.support)]),
        training=trained,
        slowest=slowest(report.latency),
        risk=risk(report.calibration),
        hosts=sorted({_host(item) for item in report.latency if item.host}),
        provenance=provenance_groups(report.provenance),
        f1_marker=plots.f1_marker,
        latency_bar=plots.latency_bar,
    )
    return templates.writable(page)


def _pieces(path: str) -> list[str]:
    """Where a long file name may be broken: after what separates its parts."""
    return [printable(piece) for piece in re.split(r"(?<=[/\\_-])", path)]


def fixed(value: object, digits: int = 3) -> str:
    """A number with so many decimals, or a dash where there is none."""
    return f"{value:,.{digits}f}" if plots.finite(value) else ABSENT


def figure(value: object) -> str:
    """A number of unknown size with about four figures: `13,863,553`, `217.1`, `4.31`, `0.0123`."""
    if not plots.finite(value):
        return ABSENT
    size = abs(value)
    if size == 0 or size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 100 else f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def marks(report: Report) -> dict[int, str]:
    """Rows of the per-class table to mark as best, worst, or without any crop."""
    scored = [(item.f1, row) for row, item in enumerate(report.classes) if item.support]
    named = {row: "no crops" for row, item in enumerate(report.classes) if not item.support}
    if scored and min(scored)[0] < max(scored)[0]:
        named |= {max(scored)[1]: "best", min(scored)[1]: "worst"}
    return named


def most_frequent_confusion(report: Report) -> Confusion | None:
    """The most frequent confusion; None where no crop was sorted wrong."""
    cells = [
        (count, row, column)
        for row, counts in enumerate(report.matrix)
        for column, count in enumerate(counts)
        if row != column and count
    ]
    if not cells:
        return None
    count, row, column = max(cells, key=lambda cell: cell[0])
    names = [item.name for item in report.classes]
    return Confusion(names[row], names[column], count, sum(report.matrix[row]))


def shade(count: int, total: int) -> str:
    """Opacity of a matrix cell: by its share of the row, small shares lifted so that a 5 % confusion is seen."""
    return f"{STRONGEST * (count / total) ** 0.5 if total else 0:.3f}"


def training(history: Sequence[Mapping[str, float | None]], probe: str = "") -> Training | None:
    """Draw the learning curves, where there are any; the best epoch is the first with the highest macro-F1.

    Args:
        history: a record an epoch.
        probe: what a linear probe of the same data scored on val; empty where there is none.
    """
    loss, f1 = plots.points(history, "loss"), plots.points(history, "val_macro_f1")
    if not loss and not f1:
        return None
    best = max(f1, key=lambda point: point[1]) if f1 else None
    lines = [("Training loss", loss), ("Val macro-F1", f1)]
    drawings = tuple((what, plots.curve(what, line, best and best[0])) for what, line in lines if len(line) > 1)
    epochs = "one epoch" if len(history) == 1 else f"{len(history):,} epochs"
    return Training(
        f"Trained for {epochs}."
        + (f" Epoch {best[0]:.0f} was kept, val macro-F1 {best[1]:.3f}." if best else "")
        + (f" A linear probe scored {probe} on val." if probe else ""),
        drawings,
    )


def risk(calibration: Calibration | None) -> str:
    """Draw the fraction of wrong labels among those accepted against the fraction accepted; empty without a curve."""
    line = list(calibration.curve) if calibration else []
    return plots.curve("Fraction wrong", line, axis="fraction accepted") if len(line) > 1 else ""


def slowest(latency: Sequence[Measurement]) -> dict[str, float]:
    """The scale of the bars by unit, for units that have at least two bars to compare."""
    bars: dict[str, list[list[float]]] = {}
    for item in latency:
        bars.setdefault(item.unit, []).append([item.value, *item.percentiles.values()])
    return {
        unit: max(map(max, several))
        for unit, several in bars.items()
        if len(several) > 1 and all(plots.finite(value) for values in several for value in values)
    }


def _host(measurement: Measurement) -> str:
    return ", ".join(f"{key} {value}" for key, value in sorted(measurement.host.items()))
