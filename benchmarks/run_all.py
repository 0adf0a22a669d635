"""Run every benchmark, one after the other, and list what holds; each writes `out/NAME.json`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
HELPERS = {"run_all.py", "old_way.py", "old_submit.py", "pictures.py", "calibration_photos.py", "__init__.py"}
HELPERS |= {
    "data_size.py",
    "label_errors.py",
    "mining.py",
    "transfer_curve.py",
}  # of a user's photos and runs, which they are told of


def main() -> None:
    for path in sorted(HERE.glob("*.py")):
        if path.name not in HELPERS:
            print(f"== {path.stem}", flush=True)
            subprocess.run([sys.executable, "-m", f"benchmarks.{path.stem}"], cwd=HERE.parent, check=False)


if __name__ == "__main__":
    main()
