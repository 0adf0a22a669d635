"""What the machine is and how it does while something is measured; what the system does not tell is left out."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from leansort.core import pixels
from leansort.core.provenance import host

BUSY_SHARE = 0.25  # of one core
EXTENSIONS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "i8mm",
    "bf16",
)
_CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq")


class LoadWatch:
    """Watches what other work does from when it is made on; processor time of this process and its children is own."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._used, self._own = busy_seconds(), own_seconds()

    def others(self) -> float:
        """Cores that other work has kept busy since, on average; 0 where the system does not tell."""
        spent = time.perf_counter() - self._started
        other = busy_seconds() - self._used - (own_seconds() - self._own)
        return max(0.0, other / spent) if spent > 0 else 0.0

    def warning(self) -> str:
        """One line where other work was in the way, else an empty string."""
        cores = self.others()
        if cores <= BUSY_SHARE:
            return ""
        return f"other work kept {cores:.1f} cores busy meanwhile; latencies are too high, measure alone"


def machine_state() -> dict[str, Any]:
    """The machine as `provenance.host` names it, with vector extensions, who makes pixels, governor, and so on."""
    flags = _flags()
    result = {
        "extensions": [name for name in EXTENSIONS if name in flags],
        "pixels": pixels.default_backend(),
        "governor": read_proc(_CPU / "scaling_governor"),
        "mhz": _mhz(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "celsius": _celsius(),
    }
    return host() | {name: value for name, value in result.items() if value not in (None, "")}


def _flags() -> list[str]:
    lines = read_proc(Path("/proc/cpuinfo")).splitlines()
    return next((line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))), [])


def _mhz() -> float | None:
    khz = read_proc(_CPU / "scaling_cur_freq")
    if khz.isdigit():
        return round(int(khz) / 1e3)
    lines = read_proc(Path("/proc/cpuinfo")).splitlines()
    result = [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
    return round(max(result)) if result else None


def _celsius() -> float | None:
    texts = [read_proc(path) for path in sorted(Path("/sys/class/thermal").glob("thermal_zone*/temp"))]
    result = [int(text) / 1e3 for text in texts if text.lstrip("-").isdigit()]
    return max(result) if result else None


def read_proc(path: Path) -> str:
    """Return the text of a file of the kernel; empty where it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def busy_seconds() -> float:
    """Processor seconds used by everything since the machine was started."""
    first = read_proc(Path("/proc/stat")).split("\n", 1)[0].split()[1:9]
    values = [int(value) for value in first]
    return (sum(values) - sum(values[3:5])) / os.sysconf("SC_CLK_TCK") if values else 0.0  # less idle and disk


def own_seconds() -> float:
    """Return the processor seconds that this process and its ended children have used."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
