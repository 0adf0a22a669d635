"""Tables of what `bench` measured, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from leansort.core.text.columns import align_columns
from leansort.core.writing.escaping import printable
from leansort.measure.measurement import Measurement
from leansort.measure.roofline import EnginePeak, PeakFraction
from leansort.measure.timing.stage_limits import StageLimit, worst
from leansort.runtime.engine import LayerTime

MOST_LAYERS = 12


def table(measurements: Sequence[Measurement]) -> str:
    """Every figure with its interval; latencies with mean and percentiles too."""
    timed = [_latency(item) for item in measurements if item.percentiles]
    other = [_value(item) for item in measurements if not item.percentiles]
    tables = [align_columns([["latency in ms", "mean", "p50", "p90", "p99", "95 % of p50", "calls"], *timed], left=1)]
    tables += [align_columns([["", "value", "unit", "95 %"], *other], left=1)] if other else []
    return "\n\n".join(tables)


def _latency(measurement: Measurement) -> list[str]:
    percentiles = [f"{measurement.percentiles[key]:.3f}" for key in ("p50", "p90", "p99")]
    mean = "" if measurement.mean is None else f"{measurement.mean:.3f}"
    between = f"{measurement.low:.3f} – {measurement.high:.3f}"
    return [measurement.name, mean, *percentiles, between, str(measurement.count)]


def _value(measurement: Measurement) -> list[str]:
    between = f"{measurement.low:.2f} – {measurement.high:.2f}" if measurement.low != measurement.high else ""
    return [measurement.name, f"{measurement.value:.2f}", measurement.unit, between]


def peak_text(fractions: Mapping[str, PeakFraction], peaks: Sequence[EnginePeak]) -> str:
    """What the engines reach at best, and what fraction of it each bundle does.

    Args:
        fractions: by bundle, as `roofline.peak_fraction` gives them.
        peaks: of the machine.
    """
    best = ", ".join(f"{peak.engine} {peak.kind} {peak.gmacs:.0f}" for peak in peaks)
    lines = [f"Large matrix products, GMAC/s: {best}"]
    lines += [
        f"{printable(name)}: {item.fraction:.0%} of its engine's {item.kind} peak"
        for name, item in fractions.items()
        if item.fraction
    ]
    return "\n".join(lines)


def layers(name: str, layer_times: Sequence[LayerTime]) -> str:
    """The layers that take longest."""
    name = printable(name)
    if not layer_times:
        return f"{name}: its engine does not tell what each layer takes"
    whole = sum(item.ms for item in layer_times)
    lines = [f"{name}: {len(layer_times)} layers, {whole:.3f} ms with the clocks between them; the longest:"]
    rows = [["layer", "kind", "ms", "fraction", "GMAC/s"]]
    for item in sorted(layer_times, key=lambda item: -item.ms)[:MOST_LAYERS]:
        speed = f"{item.macs / item.ms / 1e6:.1f}" if item.macs and item.ms else ""
        rows.append([item.name, item.kind, f"{item.ms:.3f}", f"{item.ms / whole:.1%}", speed])
    return "\n".join([*lines, align_columns(rows, left=2)])


def limits(name: str, rows: Sequence[StageLimit]) -> str:
    """How much of its limit each stage reaches, and where most is to gain."""
    lines = [["stage", "ms", "limit", "reaches", "limit of"]]
    for row in rows:
        share, limit = (f"{row.share:.0%}", f"{row.limit_ms:.3f}") if row.limit_ms else ("", "not known")
        lines.append([row.stage, f"{row.ms:.3f}", limit, share, row.reason])
    gain = worst({name: rows})[name]
    over = max(0.0, gain.ms - gain.limit_ms)
    return "\n".join([
        f"{printable(name)}: each stage from the photo to the label against the limit of this machine",
        align_columns(lines, left=1),
        f"most is to gain in {gain.stage}: {over:.3f} ms above its limit",
    ])  # fmt: skip


def state(machine: Mapping[str, JsonValue]) -> str:
    """The machine in one line."""
    extensions = machine.get("extensions")
    text = [str(machine["cpu"]), f"{machine['cores']} cores"]
    text += map(str, extensions) if isinstance(extensions, list) else []
    text += [f"pixels by {machine['pixels']}"] if "pixels" in machine else []
    text += [f"governor {machine['governor']}"] if "governor" in machine else []
    text += [f"{machine['mhz']} MHz"] if "mhz" in machine else []
    text += [f"load {machine['load']}"] if "load" in machine else []
    celsius = machine.get("celsius")
    return ", ".join(text + ([f"{celsius:.0f} °C"] if isinstance(celsius, int | float) else []))
