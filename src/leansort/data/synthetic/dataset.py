"""Draw a whole data set: images and one COCO file, the same bytes for the same seed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from leansort.contest.contest_classes import CONTEST_CLASSES
from leansort.core.process.worker_pool import map_in_processes
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.data.synthetic.scene import HEIGHT, WIDTH, SceneObject, draw_scene

ProgressCallback = Callable[[int, int], None]
Scene = tuple[str, int]  # split and number
Drawn = tuple[dict[str, Any], list[SceneObject]]
FEW_SCENES = 16  # are drawn sooner than processes have started
CHUNK = 8  # scenes that a process is given at a time


def draw_dataset(
    out: Path,
    *,
    seed: int,
    scenes: Mapping[str, int],
    workers: int | None = None,
    progress: ProgressCallback | None = None,
) -> dict[str, Any]:
    """Draw scenes in parallel and write `images/<split>/` and `annotations.json`.

    A scene depends on (seed, split, number) alone: asking for more scenes leaves the first ones as they were.

    Args:
        out: folder to write to.
        seed: root seed.
        scenes: how many scenes each split gets.
        workers: processes; None takes every core.
        progress: called with (done, all).

    Returns:
        The content of `annotations.json`; image records also carry their `split`.

    Raises:
        LeansortError: the folder cannot be written.
    """
    wanted = [(split, number) for split, count in scenes.items() for number in range(1, count + 1)]
    records: list[Drawn] = []
    for done, record in enumerate(_draw_all(partial(_draw_one, out, seed), wanted, workers), 1):
        records.append(record)
        if progress:
            progress(done, len(wanted))
    tree = _coco(seed, records)
    atomic_io.write_json(out / "annotations.json", tree)
    return tree


def _draw_all(draw: Callable[[Scene], Drawn], wanted: Sequence[Scene], workers: int | None) -> Iterator[Drawn]:
    """Draw the scenes in order; a few of them in this process."""
    if len(wanted) > FEW_SCENES:
        count = workers or len(os.sched_getaffinity(0))
        yield from map_in_processes(draw, wanted, count, chunk=CHUNK, initializer=partial(cv2.setNumThreads, 1))
        return
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # as in the processes
    try:
        yield from map(draw, wanted)
    finally:
        cv2.setNumThreads(threads)


def _draw_one(out: Path, seed: int, which: Scene) -> Drawn:
    split, number = which
    rng = Seeds(seed).child(f"sample/{split}/{number}").numpy()
    picture, things = draw_scene(rng)
    name = f"images/{split}/{split}_{number:05d}.jpg"
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 93))]
    atomic_io.write_bytes(out / name, cv2.imencode(".jpg", picture[:, :, ::-1], quality)[1].tobytes())
    return {"file_name": name, "width": WIDTH, "height": HEIGHT, "split": split}, things


def _coco(seed: int, records: list[tuple[dict[str, Any], list[SceneObject]]]) -> dict[str, Any]:
    images = [{"id": number, **image} for number, (image, _) in enumerate(records, 1)]
    things = [(number, thing) for number, (_, record) in enumerate(records, 1) for thing in record]
    return {
        "info": {"description": "leansort sample: drawn scenes of trash", "version": "1", "seed": seed},
        "licenses": [{"id": 1, "name": "CC0-1.0"}],
        "categories": [{"id": k, "name": name, "supercategory": "trash"} for k, name in enumerate(CONTEST_CLASSES, 1)],
        "images": images,
        "annotations": [_annotation(number, image, thing) for number, (image, thing) in enumerate(things, 1)],
    }


def _annotation(number: int, image: int, thing: SceneObject) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": thing.kind + 1,
        "bbox": list(thing.box),
        "segmentation": [list(thing.polygon)],
        "area": thing.area,
        "iscrowd": 0,
    }
