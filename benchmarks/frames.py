"""Claim: a 640x480 NV12 frame takes at most 0.6 of the time of its JPEG to a label, with the shipped bundle.

Both ways begin with bytes in memory and end with a label, on one thread, in turns, call by call. The JPEG is decoded at
the reduced scale that libjpeg allows, as everywhere; the frame is converted and resized. Beside the claim, not judged:
the other formats, and eight boxes of one frame in one call against eight calls.

    python -m benchmarks.frames
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from benchmarks.pictures import photos
from benchmarks.recorded_runs import processor
from leansort.core.pixels import Image
from leansort.core.pixels.camera_frames import FORMATS, Box, Frame
from leansort.core.writing import atomic_io
from leansort.measure.timing import latency
from leansort.measure.timing.machine import LoadWatch
from leansort.runtime.predictor import Classifier
from leansort.runtime.shipped_models import open_default

HERE = Path(__file__).parent
WIDTH, HEIGHT, MOST = 640, 480, 0.6
BOXES: list[Box] = [(20 + 150 * (at % 4), 30 + 220 * (at // 4), 130, 180) for at in range(8)]
T = TypeVar("T")


def as_frame(bgr: Image, name: str) -> Frame:
    """A camera's frame of a format that shows what an image shows."""
    i420 = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8).reshape(-1)
    luma, chroma = i420[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH), i420[WIDTH * HEIGHT :].reshape(2, HEIGHT // 2, -1)
    if name == "YUYV":
        packed = np.empty((HEIGHT, WIDTH // 2, 4), np.uint8)
        packed[..., 0], packed[..., 2] = luma[:, ::2], luma[:, 1::2]
        packed[..., 1], packed[..., 3] = chroma[0].repeat(2, axis=0), chroma[1].repeat(2, axis=0)
        return Frame(packed.tobytes(), name, WIDTH, HEIGHT)
    data = {
        "RGB": bgr[..., ::-1].tobytes(),
        "BGR": bgr.tobytes(),
        "GRAY": luma.tobytes(),
        "NV12": luma.tobytes() + np.moveaxis(chroma, 0, -1).tobytes(),
        "I420": i420.tobytes(),
    }[name]
    return Frame(data, name, WIDTH, HEIGHT)


def next_of(call: Callable[[T], object], items: Iterator[T]) -> object:
    return call(next(items))


def one_by_one(classifier: Classifier, frame: Frame) -> object:
    return [classifier.predict(frame.at(box)) for box in BOXES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    seconds = parser.parse_args().seconds
    with atomic_io.scratch() as folder:
        drawn = [cv2.imread(str(path)) for path in photos(folder / "photos", 32)]
    images = [np.asarray(cv2.resize(item, (WIDTH, HEIGHT)), np.uint8) for item in drawn if item is not None]
    jpegs = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes() for image in images]
    frames = {name: [as_frame(image, name) for image in images] for name in FORMATS}
    watch = LoadWatch()
    with Classifier.of(open_default(), threads=1) as classifier:
        calls = {"JPEG": partial(next_of, classifier.predict, itertools.cycle(jpegs))}
        for name in FORMATS:
            calls[name] = partial(next_of, classifier.predict, itertools.cycle(frames[name]))
        times = latency.time_interleaved(calls, seconds=seconds)
        boxes = latency.time_interleaved(
            {
                "one by one": partial(next_of, partial(one_by_one, classifier), itertools.cycle(frames["NV12"])),
                "in one call": partial(
                    next_of, lambda frame: classifier.predict_boxes(frame, BOXES), itertools.cycle(frames["NV12"])
                ),
            },
            seconds=seconds,
        )
    print(watch.warning() or "nothing else ran")
    rows = {name: latency.speed_ratio(taken, times["JPEG"]) for name, taken in times.items()}
    for name, (ratio, low, high) in rows.items():
        ms = 1e3 * float(np.median(times[name]))
        print(f"{name}: {ms:.3f} ms, {ratio:.2f} of the JPEG's time (95 % {low:.2f} – {high:.2f})")
    together = latency.speed_ratio(boxes["in one call"], boxes["one by one"])
    print("{} boxes in one call: {:.2f} of one by one (95 % {:.2f} – {:.2f})".format(len(BOXES), *together))
    holds = rows["NV12"][0] <= MOST
    print(f"NV12: {rows['NV12'][0]:.2f} of the JPEG's time, {'holds' if holds else f'MISSED: above {MOST}'}")
    tree = {"ratios": rows, "boxes": together, "holds": holds, "host": processor()}
    atomic_io.write_json(HERE / "out" / "frames.json", tree)


if __name__ == "__main__":
    main()
