"""Tables of what `bench` measured, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import JsonValue

from leansort.core.text.escaping import printable
from leansort.measure.measurement import Measurement
from leansort.measure.roofline import EnginePeak, PeakFraction
from leansort.runtime.engine import LayerTime

MOST_LAYERS = 12


def table(measurements: Sequence[Measurement]) -> str:
    """Every figure with its interval; latencies with their percentiles too."""
    measurements = [
        measurement.model_copy(update={"name": printable(measurement.name)}) for measurement in measurements
    ]
    wide = max(len(measurement.name) for measurement in measurements)
    timed = [measurement for measurement in measurements if measurement.percentiles]
    other = [measurement for measurement in measurements if not measurement.percentiles]
    head = f"{'':{wide}}     p50     p90     p99   {'95 % of p50':>15}   calls   ms"
    lines = [head, *(_latency(item, wide) for item in timed)]
    if other:
        lines += ["", f"{'':{wide}}   value   {'95 %':>19}", *(_value(item, wide) for item in other)]
    return "\n".join(lines)


def _latency(measurement: Measurement, wide: int) -> str:
    p50, p90, p99 = (measurement.percentiles[key] for key in ("p50", "p90", "p99"))
    interval = f"{measurement.low:6.3f} – {measurement.high:6.3f} {measurement.count:7d}"
    return f"{measurement.name:{wide}} {p50:7.3f} {p90:7.3f} {p99:7.3f}   {interval}"


def _value(measurement: Measurement, wide: int) -> str:
    between = f"{measurement.low:8.2f} – {measurement.high:8.2f}" if measurement.low != measurement.high else ""
    return f"{measurement.name:{wide}} {measurement.value:8.2f}   {between:19}   {measurement.unit}"


def reached(fractions: Mapping[str, PeakFraction], peaks: Sequence[EnginePeak]) -> str:
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
    name, layer_times = printable(name), [replace(item, name=printable(item.name)) for item in layer_times]
    if not layer_times:
        return f"{name}: its engine does not tell what each layer takes"
    whole = sum(item.ms for item in layer_times)
    wide = max(len(item.name) for item in layer_times)
    lines = [f"{name}: {len(layer_times)} layers, {whole:.3f} ms with the clocks between them; the longest:"]
    for layer_time in sorted(layer_times, key=lambda item: -item.ms)[:MOST_LAYERS]:
        speed = f"{layer_time.macs / layer_time.ms / 1e6:6.1f} GMAC/s" if layer_time.macs and layer_time.ms else ""
        figures = f"{layer_time.ms:7.3f} ms {layer_time.ms / whole:5.1%} {speed:14}"
        lines.append(f"  {layer_time.name:{wide}} {figures} {layer_time.kind}".rstrip())
    return "\n".join(lines)


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
