"""Claim: `Classifier.predict` takes at most 5 % more than the bare calls that it makes: decode, resize, session.

The bare way is what a program would do by hand for the same result: libjpeg's reduced scale through OpenCV, resize,
channel order, ONNX Runtime. One thread, in turns, on photos held in memory; the smallest committed network, for which
everything around it weighs most.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from benchmarks.pictures import photos
from benchmarks.recorded_runs import processor
from leansort.arch import trained_model
from leansort.core.bundle import Bundle
from leansort.core.writing import atomic_io
from leansort.export.onnx import export_onnx
from leansort.measure.timing import latency
from leansort.measure.timing.machine import LoadWatch
from leansort.runtime.predictor import Classifier

HERE = Path(__file__).parent
MODEL = HERE.parent / "models" / "trashnet-small"
MOST, SECONDS = 0.05, 8.0


def by_hand(bundle: Bundle) -> Callable[[bytes], int]:
    """Decode and classify with nothing in between."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(bundle.graph, options, providers=["CPUExecutionProvider"])
    name, size = session.get_inputs()[0].name, bundle.meta.preprocess.size

    def label(data: bytes) -> int:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_2)
        assert image is not None
        small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        return int(session.run(None, {name: cv2.cvtColor(small, cv2.COLOR_BGR2RGB)[None]})[0].argmax())

    return label


def main() -> None:
    with atomic_io.scratch() as folder:
        data = [path.read_bytes() for path in photos(folder / "photos", 64)]
        bundle = export_onnx(trained_model.load(MODEL))
        bundle.save(folder / "m.leansort")
        classifier, bare = Classifier.load(folder / "m.leansort"), by_hand(bundle)
        assert [classifier.predict(datum).label for datum in data] == [
            bundle.meta.labels[bare(datum)] for datum in data
        ]
        first, second = itertools.cycle(data), itertools.cycle(data)
        watch = LoadWatch()
        times = latency.time_interleaved(
            {"by hand": lambda: bare(next(first)), "predict": lambda: classifier.predict(next(second))}, seconds=SECONDS
        )
    print(watch.warning() or "nothing else ran")
    ms = {name: 1e3 * float(np.median(taken)) for name, taken in times.items()}
    over = ms["predict"] / ms["by hand"] - 1
    value, low, high = latency.speed_ratio(times["predict"], times["by hand"])
    print(f"by hand {ms['by hand']:.3f} ms, predict {ms['predict']:.3f} ms (medians): {over:+.1%}")
    print(f"of means {value - 1:+.1%} (95 % {low - 1:+.1%} – {high - 1:+.1%})")
    print("holds" if over <= MOST else f"MISSED: above {MOST:.0%}")
    tree = {"ms": ms, "over": over, "means": [value, low, high], "holds": over <= MOST, "host": processor()}
    atomic_io.write_json(HERE / "out" / "overhead.json", tree)


if __name__ == "__main__":
    main()
