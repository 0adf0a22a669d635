"""Energy that the machine has used, where it tells: Intel's and AMD's RAPL counters, and power sensors of hwmon.

On a machine without either there is no figure, and none is made up. RAPL counts whole processor packages, so all that
runs there is in it; a sensor at the supply (INA219 and its kin) counts the whole board.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leansort.measure.timing.machine import read_proc

POWERCAP, HWMON = Path("/sys/class/powercap"), Path("/sys/class/hwmon")


@dataclass
class EnergyMeter:
    """Joules since it was made; `read` often, for a counter that wraps round twice is a lap short.

    Attributes:
        powercap: folder of RAPL's counters.
        hwmon: folder of sensors, which are used where there are no counters.
    """

    powercap: Path = POWERCAP
    hwmon: Path = HWMON
    _joules: float = 0.0
    _last: dict[Path, int] = field(default_factory=dict)
    _sensors: Sequence[Path] = ()
    _at: float = 0.0

    def __post_init__(self) -> None:
        """Take the first reading."""
        packages = [
            folder / "energy_uj" for folder in sorted(self.powercap.glob("*rapl:[0-9]*")) if _is_package(folder)
        ]
        self._last = {path: int(text) for path in packages if (text := read_proc(path)).isdecimal()}
        if not self._last:
            paths = sorted(self.hwmon.glob("hwmon*/power*_input")) + sorted(self.hwmon.glob("hwmon*/power*_average"))
            self._sensors = [path for path in paths if read_proc(path).isdecimal()][:1]  # parts of a whole are no sum
        self._at = time.monotonic()

    @property
    def source(self) -> str:
        """What tells: `rapl`, `hwmon`, or empty where nothing does."""
        return "rapl" if self._last else "hwmon" if self._sensors else ""

    def read(self) -> float | None:
        """Return joules so far; None where the machine does not tell."""
        if self._last:
            self._joules += sum(self._counted(path) for path in list(self._last)) / 1e6
        elif self._sensors:
            now, text = time.monotonic(), read_proc(self._sensors[0])
            self._joules += int(text) / 1e6 * (now - self._at) if text.isdecimal() else 0.0
            self._at = now
        return self._joules if self.source else None

    def _counted(self, path: Path) -> int:
        text, before = read_proc(path), self._last[path]
        now = int(text) if text.isdecimal() else before
        self._last[path] = now
        if now >= before:
            return now - before
        most = read_proc(path.parent / "max_energy_range_uj")
        return now + (int(most) - before if most.isdecimal() else 0)


def _is_package(folder: Path) -> bool:
    """Whether a counter is of a whole package; those of cores and memory are within it."""
    return read_proc(folder / "name").startswith("package") and folder.name.count(":") == 1
