"""Claim: the dry run of a COCO file with 1,000,000 annotations takes under 60 s and under 2 GB.

Reference: what teams write by hand - `json.load`, and one pass that counts the categories and checks nothing. Both
run in processes of their own, interleaved, on a file that is made here (polygons of 12 points).
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.recorded_runs import processor
from leansort.core.writing import atomic_io

ANNOTATIONS, IMAGES, CATEGORIES = 1_000_000, 150_000, 60
ROUNDS = 3
LIMIT_S, LIMIT_GB = 60.0, 2.0
MEASURED = """
import resource, sys, time
from pathlib import Path
started = time.perf_counter()
{job}
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""
JOBS = {
    "leansort": "from leansort.data.sources import coco\n"
    "surveyed = coco.CocoSource(coco.CocoConfig(path=Path(sys.argv[1]))).survey()\n"
    "kept = sum(surveyed['classes'].values()) + sum(surveyed['dropped boxes'].values())\n"
    "assert kept == surveyed['annotations'] == 1_000_000",
    "json.load and a loop": "import json, collections\n"
    "tree = json.load(open(sys.argv[1]))\n"
    "names = {c['id']: c['name'] for c in tree['categories']}\n"
    "by_image = collections.defaultdict(list)\n"
    "for a in tree['annotations']: by_image[a['image_id']].append(a)\n"
    "counts = collections.Counter(names[a['category_id']] for a in tree['annotations'])\n"
    "assert sum(counts.values()) == 1_000_000",
}


def write_annotations(path: Path) -> None:
    """Write the file record by record, so that making it takes no memory."""
    rng = random.Random(0)
    with path.open("w") as file:
        file.write('{"categories": ' + json.dumps([{"id": k, "name": f"kind {k}"} for k in range(CATEGORIES)]))
        file.write(', "images": [')
        file.write(", ".join(_image(number) for number in range(IMAGES)))
        file.write('], "annotations": [')
        for number in range(ANNOTATIONS):
            file.write((", " if number else "") + _annotation(rng, number))
        file.write("]}")


def _image(number: int) -> str:
    return json.dumps({"id": number, "width": 1920, "height": 1080, "file_name": f"batch/{number:06d}.jpg"})


def _annotation(rng: random.Random, number: int) -> str:
    box = [rng.random() * 1800, rng.random() * 1000, 5 + rng.random() * 115, 5 + rng.random() * 75]
    polygon = [[rng.randrange(1080) for _ in range(24)]]
    record = {"id": number, "image_id": rng.randrange(IMAGES), "category_id": rng.randrange(CATEGORIES)}
    return json.dumps({**record, "bbox": box, "area": 1.0, "iscrowd": 0, "segmentation": polygon})


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotations.json"
        write_annotations(path)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in JOBS}
        for _ in range(ROUNDS):
            for name, job in JOBS.items():
                command = [sys.executable, "-c", MEASURED.format(job=job), str(path)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                seconds, gigabytes = (float(part) for part in done.stdout.split())
                taken[name].append((seconds, gigabytes))
        size = path.stat().st_size / 1e6
    rows = {}
    print(f"{ANNOTATIONS:,} annotations of {IMAGES:,} photos, {size:.0f} MB of JSON")
    for name, runs in taken.items():
        seconds, gigabytes = np.array(runs).T
        rows[name] = {"median_s": float(np.median(seconds)), "peak_gb": float(gigabytes.max())}
        print(f"{name}: median {np.median(seconds):.1f} s ({seconds.min():.1f} – {seconds.max():.1f}), "
              f"peak {gigabytes.max():.2f} GB")  # fmt: skip
    ours = rows["leansort"]
    holds = ours["median_s"] < LIMIT_S and ours["peak_gb"] < LIMIT_GB
    print(f"under {LIMIT_S:g} s and {LIMIT_GB:g} GB: {'holds' if holds else 'MISSED'}")
    atomic_io.write_json(
        Path(__file__).parent / "out" / "coco_import.json",
        {"rows": rows, "json_mb": size, "holds": holds, "host": processor()},
    )


if __name__ == "__main__":
    main()
