"""Claim: `pip install leansort` in a bare environment takes less than 250 MB and labels photos; what OpenCV brings.

Makes an environment, installs the project with its pins, lets it label and bench, and counts its bytes. Then decodes
and resizes the same photos by both backends in turns, and compares their pixels.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.pictures import photos
from benchmarks.recorded_runs import processor
from leansort.core import bundle as bundles
from leansort.core import pixels, preprocess
from leansort.core.writing import atomic_io
from leansort.measure.timing import latency
from leansort.measure.timing.machine import LoadWatch
from leansort.runtime import shipped_models

HERE = Path(__file__).parent
MODEL = shipped_models.default_model()
MOST_MB, SECONDS = 250, 8.0


def installed(folder: Path) -> float:
    """Megabytes of a bare environment, pip and all, in which the project labels and benches photos."""
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    given = ["install", "--quiet", "--disable-pip-version-check", "-c", "constraints.txt", "."]
    subprocess.run([folder / "venv" / "bin" / "pip", *given], cwd=HERE.parent, check=True)
    leansort = folder / "venv" / "bin" / "leansort"
    shown = str(folder / "photos")
    for command in (["predict", shown], ["bench", MODEL.name, "--images", shown]):
        subprocess.run([leansort, *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return sum(path.lstat().st_size for path in (folder / "venv").rglob("*")) / 1e6


def brought() -> float:
    """Megabytes that OpenCV's package would add."""
    files = importlib.metadata.files("opencv-python-headless") or []
    return sum(Path(str(file.locate())).lstat().st_size for file in files) / 1e6


def main() -> None:
    shown = bundles.load(MODEL.path).meta.preprocess
    with atomic_io.scratch() as folder:
        data = [path.read_bytes() for path in photos(folder / "photos", 64)]
        size = installed(folder)
    print(
        f"a bare environment: {size:.0f} MB {'holds' if size < MOST_MB else 'MISSED'}; OpenCV adds {brought():.0f} MB"
    )
    pictures = {name: itertools.cycle(data) for name in pixels.BACKENDS}

    def made(name: str, item: bytes) -> pixels.Image:
        preprocess.BACKEND = pixels.load(name)
        return shown(item)

    first, second = ([made(name, datum).astype(int) for datum in data] for name in pixels.BACKENDS)
    off = max(int(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))
    watch = LoadWatch()
    calls = {name: lambda name=name: made(name, next(pictures[name])) for name in pixels.BACKENDS}
    times = latency.time_interleaved(calls, seconds=SECONDS)
    print(watch.warning() or "nothing else ran")
    ms = {name: 1e3 * float(np.median(taken)) for name, taken in times.items()}
    value, low, high = latency.speed_ratio(times["pillow"], times["opencv"])
    print(f"from JPEG to {shown.size} px: opencv {ms['opencv']:.3f} ms, pillow {ms['pillow']:.3f} ms (medians)")
    print(f"pillow takes {value:.2f} times as long (95 % {low:.2f} – {high:.2f}); pixels differ by {off} at most")
    tree = {
        "mb": size,
        "opencv_mb": brought(),
        "holds": size < MOST_MB,
        "ms": ms,
        "ratio": [value, low, high],
        "off": off,
        "host": processor(),
    }
    atomic_io.write_json(HERE / "out" / "footprint.json", tree)


if __name__ == "__main__":
    main()
