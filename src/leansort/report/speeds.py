"""Tables of what `bench` measured, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from leansort.core.text.escaping import printable
from leansort.measure.measurement import Measurement
from leansort.measure.roofline import EnginePeak
from leansort.runtime.engine import LayerTime

MOST_LAYERS = 12


def table(measurements: Sequence[Measurement]) -> str:
    """Every figure with its interval; latencies with their percentiles too."""
    measurements = [one.model_copy(update={"name": printable(one.name)}) for one in measurements]
    wide = max(len(one.name) for one in measurements)
    timed = [one for one in measurements if one.percentiles]
    other = [one for one in measurements if not one.percentiles]
    head = f"{'':{wide}}     p50     p90     p99   {'95 % of p50':>15}   calls   ms"
    lines = [head, *(_latency(one, wide) for one in timed)]
    if other:
        lines += ["", f"{'':{wide}}   value   {'95 %':>19}", *(_value(one, wide) for one in other)]
    return "\n".join(lines)


def _latency(one: Measurement, wide: int) -> str:
    p50, p90, p99 = (one.percentiles[key] for key in ("p50", "p90", "p99"))
    return f"{one.name:{wide}} {p50:7.3f} {p90:7.3f} {p99:7.3f}   {one.low:6.3f} – {one.high:6.3f} {one.count:7d}"


def _value(one: Measurement, wide: int) -> str:
    between = f"{one.low:8.2f} – {one.high:8.2f}" if one.low != one.high else ""
    return f"{one.name:{wide}} {one.value:8.2f}   {between:19}   {one.unit}"


def reached(shares: Mapping[str, tuple[float, str]], peaks: Sequence[EnginePeak]) -> str:
    """What the engines reach at best, and what share of it each bundle does.

    Args:
        shares: by bundle, as `roofline.share` gives them.
        peaks: of the machine.
    """
    best = ", ".join(f"{one.engine} {one.kind} {one.gmacs:.0f}" for one in peaks)
    lines = [f"Large matrix products, GMAC/s: {best}"]
    lines += [
        f"{printable(name)}: {share:.0%} of its engine's {kind} peak" for name, (share, kind) in shares.items() if share
    ]
    return "\n".join(lines)


def layers(name: str, found: Sequence[LayerTime]) -> str:
    """The layers that take longest."""
    name, found = printable(name), [replace(one, name=printable(one.name)) for one in found]
    if not found:
        return f"{name}: its engine does not tell what each layer takes"
    whole = sum(one.ms for one in found)
    wide = max(len(one.name) for one in found)
    lines = [f"{name}: {len(found)} layers, {whole:.3f} ms with the clocks between them; the longest:"]
    for one in sorted(found, key=lambda one: -one.ms)[:MOST_LAYERS]:
        speed = f"{one.macs / one.ms / 1e6:6.1f} GMAC/s" if one.macs and one.ms else ""
        lines.append(f"  {one.name:{wide}} {one.ms:7.3f} ms {one.ms / whole:5.1%} {speed:14} {one.kind}".rstrip())
    return "\n".join(lines)


def state(machine: Mapping[str, Any]) -> str:
    """The machine in one line."""
    said = [str(machine["cpu"]), f"{machine['cores']} cores", *machine.get("extensions", [])]
    said += [f"pixels by {machine['pixels']}"] if "pixels" in machine else []
    said += [f"governor {machine['governor']}"] if "governor" in machine else []
    said += [f"{machine['mhz']} MHz"] if "mhz" in machine else []
    said += [f"load {machine['load']}"] if "load" in machine else []
    return ", ".join(said + ([f"{machine['celsius']:.0f} °C"] if "celsius" in machine else []))
