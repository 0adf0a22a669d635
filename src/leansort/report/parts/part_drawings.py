"""The drawings of a run's further parts: Pareto plots, waterfalls, severity curves, distributions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leansort.measure.measurement import Measurement
from leansort.measure.robustness.stress_result import StressedBundle
from leansort.report.charts.scatter import Dot, scatter
from leansort.report.charts.severity import severity_plot
from leansort.report.charts.spread import spread_chart
from leansort.report.charts.waterfall import waterfall
from leansort.report.parts.evidence_content import PassStep, TriedResult
from leansort.search import pareto

Drawing = tuple[str, str]  # caption, SVG
_Cost = Callable[[TriedResult], float | None]


def pareto_plots(tried: Sequence[TriedResult]) -> list[Drawing]:
    """Macro-F1 on val against size and against time, of all that has both; none where fewer than two have."""
    plots = []
    for axis, cost in (("size, MB", _size), ("network alone, ms", _ms)):
        dots = _dots(tried, cost, axis)
        if len(dots) > 1:
            plots.append((f"Macro-F1 on val against {axis}", scatter(dots, axis)))
    return plots


def _size(item: TriedResult) -> float | None:
    return item.size_mb


def _ms(item: TriedResult) -> float | None:
    return item.ms


def _dots(tried: Sequence[TriedResult], cost: _Cost, axis: str) -> list[Dot]:
    points = [(item, x, item.macro_f1) for item in tried if (x := cost(item)) is not None and item.macro_f1 is not None]
    best = set(pareto.front([(x, -y) for _, x, y in points]))
    return [
        Dot(
            x,
            y,
            f"{item.name}: macro-F1 {y:.4f}, {axis.rpartition(', ')[2]} {x:.4g}{', this run' if item.here else ''}",
            "front" if at in best else "trained",
            y_interval=item.interval,
            link=item.anchor,
            here=item.here,
        )
        for at, (item, x, y) in enumerate(points)
    ]


def pass_waterfalls(passes: Sequence[PassStep]) -> list[Drawing]:
    """Size and latency through the passes that were kept; a latency only where every step was timed on the engine."""
    if len(passes) < 2:
        return []
    drawn = [("Size of the bundle", waterfall("size", [(item.name, item.size_mb) for item in passes], "MB"))]
    for engine in passes[0].ms:
        if all(engine in item.ms for item in passes):
            values = [(item.name, item.ms[engine]) for item in passes]
            drawn.append((f"Network alone on {engine}", waterfall(f"latency on {engine}", values, "ms")))
    return drawn


def stress_plots(stress: StressedBundle | None) -> list[Drawing]:
    """A severity curve for each kind."""
    if stress is None:
        return []
    return [(curve.kind.replace("_", " "), severity_plot([(stress.path, curve)])) for curve in stress.kinds]


def spread_plots(latency: Sequence[Measurement]) -> list[Drawing]:
    """How each latency spreads, of those whose distribution was kept."""
    drawn = [(item.name.rpartition(": ")[2], item) for item in latency if item.unit == "ms" and item.quantiles]
    return [(name, drawing) for name, item in drawn if (drawing := spread_chart([(name, item)]))]
