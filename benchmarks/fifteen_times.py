"""What 15 times the old way would take with the compressed TrashNet network: three ways, what each costs in macro-F1.

The old way is Pillow and the uncompressed network in PyTorch. Ours is `trashnet-compressed` as it is; with
linear interpolation in place of area means; and on a quarter of each side, which libjpeg decodes fastest, padded to
128 px. One thread, in turns, on drawn photos of 512x384. Where LEANSORT_DATA holds TrashNet, the macro-F1 of each on
its val photos; the network was trained at 160 px, so at 128 px training it on would bring some of it back.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from benchmarks.old_way import OldWay
from benchmarks.pictures import photos
from benchmarks.recorded_runs import processor
from leansort.arch import trained_model
from leansort.core import bundle as bundles
from leansort.core import preprocess
from leansort.core.bundle import Bundle
from leansort.core.folders.image_files import list_image_files
from leansort.core.preprocess import Preprocess
from leansort.core.writing import atomic_io
from leansort.measure.accuracy.metrics import macro_f1
from leansort.measure.timing import latency
from leansort.measure.timing.machine import LoadWatch
from leansort.runtime import engine as engines
from leansort.runtime.predictor import Classifier
from leansort.runtime.shipped_models import find_bundle

HERE = Path(__file__).parent
MODELS = HERE.parent / "models"
DATA = Path(os.environ.get("LEANSORT_DATA", HERE.parent.parent / "shared" / "data")) / "trashnet" / "val"
GOAL, SECONDS = 15.0, 5.0
Label = Callable[[Path], str]


def smaller(bundle: Bundle, size: int) -> Bundle:
    """The same graph for padded pictures of another size; it averages over whatever area its last layers have."""
    model = onnx.load_from_string(bundle.graph)
    for axis in (1, 2):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = size
    del model.graph.value_info[:]
    meta = bundle.meta.model_copy(update={"preprocess": Preprocess(size=size, fit="pad")})
    return Bundle(meta, {**bundle.files, "graph.onnx": model.SerializeToString()})


def label(bundle: Bundle, near: float = preprocess.NEAR) -> Label:
    """Label a photo, resizing linearly up to a factor of `near`."""
    classifier = Classifier(bundle, engines.load_engine(bundle, "openvino"))

    def item(path: Path) -> str:
        preprocess.NEAR = near
        return classifier.predict(path).label

    return item


def f1_of(item: Label, pictures: Iterable[Path], names: tuple[str, ...]) -> float:
    """Macro-F1 on class folders."""
    pairs = np.array([(names.index(path.parent.name), names.index(item(path))) for path in pictures])
    return macro_f1(pairs[:, 0], pairs[:, 1], len(names))


def _next(item: Label, paths: Iterator[Path]) -> str:
    return item(next(paths))


def main() -> None:
    torch.set_num_threads(1)
    committed = bundles.load(find_bundle("trashnet-compressed"))
    old = OldWay(trained_model.load(MODELS / "trashnet"))
    ways: dict[str, Label] = {
        "as it is": label(committed),
        "linear interpolation": label(committed, near=2.0),
        "a quarter of the photo, 128 px": label(smaller(committed, 128)),
    }
    watch = LoadWatch()
    with atomic_io.scratch() as folder:
        paths = photos(folder / "photos", 64)
        turns = {name: itertools.cycle(paths) for name in ("old way", *ways)}
        calls: dict[str, Callable[[], Any]] = {"old way": lambda: old.predict(next(turns["old way"]))}
        calls |= {name: partial(_next, item, turns[name]) for name, item in ways.items()}
        times = latency.time_interleaved(calls, seconds=SECONDS)
    print(watch.warning() or "nothing else ran")
    pictures = list_image_files(DATA).files if DATA.is_dir() else ()
    rows: list[dict[str, Any]] = []
    for name, way in ways.items():
        ratio, low, high = latency.speed_ratio(times["old way"], times[name])
        ms, f1 = 1e3 * float(np.median(times[name])), f1_of(way, pictures, committed.meta.labels) if pictures else None
        judged = "" if f1 is None else f", val macro-F1 {f1:.4f}"
        print(f"{name}: {ms:.3f} ms, {ratio:.2f} times (95 % {low:.2f} – {high:.2f}){judged}")
        rows.append({"way": name, "ms": ms, "ratio": [ratio, low, high], "macro_f1": f1})
    best = max(row["ratio"][0] for row in rows)
    print(f"best {best:.2f} times, {'holds' if best >= GOAL else f'MISSED: below {GOAL}'}")
    atomic_io.write_json(
        HERE / "out" / "fifteen_times.json", {"rows": rows, "holds": best >= GOAL, "host": processor()}
    )


if __name__ == "__main__":
    main()
