"""Claim: decode-to-label through the bundle, one thread, is at least 5 times as fast as the old way.

Same MnasNet, same input size, same JPEGs; the old way and every engine of a robot are timed in turns within one run,
in float and, of OpenVINO, in bf16. The pictures are 512x384, drawn
and compressed here, so that the claim can be checked without any data set.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.old_way import OldWay
from benchmarks.pictures import photos
from leansort.arch.archspec import ArchSpec
from leansort.arch.build import build
from leansort.arch.trained import TrainedModel
from leansort.core import bundle as bundles
from leansort.core import store
from leansort.core.labels import CONTEST, LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.provenance import host
from leansort.export.onnx import to_bundle
from leansort.measure import latency
from leansort.measure.machine import Watch
from leansort.runtime import engine as engines
from leansort.runtime.predictor import Classifier

AT_LEAST = 5.0
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "onnxruntime": ("onnxruntime", {}),
    "openvino": ("openvino", {}),
    "openvino, bf16": ("openvino", {"precision": "bf16"}),
}
OUT = Path(__file__).parent / "out" / "decode_to_label.json"


def compare(size: int, seconds: float, folder: Path, paths: list[Path]) -> dict[str, Any]:
    """Time both ways at one input size."""
    spec = ArchSpec(classes=6)
    preprocess = Preprocess(size=size)
    model = TrainedModel(spec, build(spec).state_dict(), preprocess, LabelSet(CONTEST))
    to_bundle(model).save(folder / "model.leansort")
    bundle = bundles.load(folder / "model.leansort")
    calls = {"old way": partial(_next, OldWay(model).predict, itertools.cycle(paths))}
    for name, (engine, settings) in WAYS.items():
        if engine in engines.installed():
            ours = Classifier(bundle, engines.load(bundle, engine, **settings))
            calls[name] = partial(_next, ours.predict, itertools.cycle(paths))
    times = latency.interleaved(calls, seconds=seconds)
    found = {name: latency.ratio(times["old way"], taken) for name, taken in times.items()}
    for name, (ratio, low, high) in found.items():
        rate = 1 / float(times[name].mean())
        print(f"MnasNet {size} px, {name}: {rate:.1f} images/s, {ratio:.2f} times (95 % {low:.2f} – {high:.2f})")
    rates = {name: 1 / float(taken.mean()) for name, taken in times.items()}
    return {"size": size, "images_per_s": rates, "ratios": found, "ratio": max(one for one, _, _ in found.values())}


def _next(predict: Callable[[Path], object], paths: Iterator[Path]) -> object:
    return predict(next(paths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    watch = Watch()
    with store.scratch() as folder:
        paths = photos(folder / "photos", 64)
        rows = [compare(size, arguments.seconds, folder, paths) for size in (128, 224)]
    print(watch.warning() or "nothing else ran")
    holds = all(row["ratio"] >= AT_LEAST for row in rows)
    store.write_json(OUT, {"claim": f">= {AT_LEAST}", "rows": rows, "holds": holds, "host": host()})
    print("holds" if holds else f"MISSED: below {AT_LEAST}")


if __name__ == "__main__":
    main()
