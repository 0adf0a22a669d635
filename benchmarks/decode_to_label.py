"""Claim: decode-to-label through the bundle, one thread, is at least 3 times as fast as the old way.

Same MnasNet, same input size, same JPEGs; both are timed in turns within one run. The pictures are 512x384, drawn
and compressed here, so that the claim can be checked without any data set.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import cv2
import torch

from benchmarks.old_way import OldWay
from leansort.arch.archspec import ArchSpec
from leansort.arch.build import build
from leansort.arch.trained import TrainedModel
from leansort.core import store
from leansort.core.labels import CONTEST, LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.provenance import host
from leansort.core.seeds import Seeds
from leansort.data.drawing.scene import draw_scene
from leansort.export.onnx import to_bundle
from leansort.measure import latency
from leansort.measure.machine import Watch
from leansort.runtime.predictor import Classifier

AT_LEAST = 3.0
OUT = Path(__file__).parent / "out" / "decode_to_label.json"


def pictures(folder: Path, count: int) -> list[Path]:
    """Draw scenes, enlarged to the size of the real photos."""
    paths = []
    for i in range(count):
        rgb, _ = draw_scene(Seeds(0).child(f"benchmark/{i}").numpy())
        path = folder / f"{i}.jpg"
        bgr = cv2.resize(rgb, (512, 384), interpolation=cv2.INTER_CUBIC)[:, :, ::-1]
        path.write_bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())
        paths.append(path)
    return paths


def compare(size: int, seconds: float, folder: Path, paths: list[Path]) -> dict[str, Any]:
    """Time both ways at one input size."""
    spec = ArchSpec(classes=6)
    preprocess = Preprocess(size=size)
    model = TrainedModel(spec, build(spec).state_dict(), preprocess, LabelSet(CONTEST))
    to_bundle(model).save(folder / "model.leansort")
    old, ours = OldWay(model), Classifier.load(folder / "model.leansort", threads=1)
    first, second = itertools.cycle(paths), itertools.cycle(paths)
    times = latency.interleaved(
        {"old way": lambda: old.predict(next(first)), "leansort": lambda: ours.predict(next(second))}, seconds=seconds
    )
    ratio, low, high = latency.ratio(times["old way"], times["leansort"])
    rates = {name: 1 / float(taken.mean()) for name, taken in times.items()}
    print(
        f"MnasNet {size} px: old way {rates['old way']:.1f} images/s, leansort {rates['leansort']:.1f} images/s, "
        f"{ratio:.2f} times (95 % {low:.2f} – {high:.2f})"
    )
    return {"size": size, "images_per_s": rates, "ratio": ratio, "low": low, "high": high}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    watch = Watch()
    with store.scratch() as folder:
        paths = pictures(folder, 64)
        rows = [compare(size, arguments.seconds, folder, paths) for size in (128, 224)]
    print(watch.warning() or "nothing else ran")
    holds = all(row["ratio"] >= AT_LEAST for row in rows)
    store.write_json(OUT, {"claim": f">= {AT_LEAST}", "rows": rows, "holds": holds, "host": host()})
    print("holds" if holds else f"MISSED: below {AT_LEAST}")


if __name__ == "__main__":
    main()
