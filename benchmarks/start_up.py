"""Claim: `import leansort` takes under 0.15 s and loads no torch; `leansort --help` takes under 0.4 s.

Reference: a bare `python -c pass`, interleaved, so that the interpreter's own share can be seen.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from leansort.core import store
from leansort.core.provenance import host

COMMANDS = {
    "bare interpreter": ([sys.executable, "-c", "pass"], None),
    "import leansort": ([sys.executable, "-c", "import leansort, sys; assert 'torch' not in sys.modules"], 0.15),
    "leansort --help": ([str(Path(sys.executable).parent / "leansort"), "--help"], 0.4),
}
ROUNDS = 15


def main() -> None:
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, (command, _) in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            taken[name].append(time.perf_counter() - started)
    rows = {}
    for name, (_, limit) in COMMANDS.items():
        low, middle, high = np.quantile(taken[name], [0.05, 0.5, 0.95]).tolist()
        holds = limit is None or middle < limit
        print(
            f"{name}: median {middle:.3f} s (5 – 95 %: {low:.3f} – {high:.3f})" + ("" if holds else f" MISSED {limit}")
        )
        rows[name] = {"median_s": middle, "low_s": low, "high_s": high, "limit_s": limit, "holds": holds}
    store.write_json(Path(__file__).parent / "out" / "start_up.json", {"rows": rows, "host": host()})


if __name__ == "__main__":
    main()
