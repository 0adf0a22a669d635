"""COCO data sets as people's tools write them, drawn small."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.conftest import draw

NAMES = ("glass", "paper")
BOX = [8, 6, 60, 50]


def tree(names: Sequence[str], kind: int | None = None, first: int = 1, **image: Any) -> dict[str, Any]:
    """One box a photo; photo k is of class k mod 2, or all are of one class."""
    marks = [
        {"id": k, "image_id": k, "category_id": 1 + (k % 2 if kind is None else kind), "bbox": BOX, "iscrowd": 0}
        for k in range(first, first + len(names))
    ]
    return {
        "images": [
            {"id": k, "file_name": name, "width": 96, "height": 72, **image} for k, name in enumerate(names, first)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES, 1)],
        "annotations": marks,
    }


def put(path: Path, made: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made))
    return path


def world(folder: Path, count: int = 8, *, kind: int | None = None, name: str = "annotations.json") -> Path:
    """Photos `frame_0.jpg` … with their annotations beside them; stripes for glass, rings for paper."""
    names = [f"frame_{k}.jpg" for k in range(count)]
    made = tree(names, kind)
    for photo, mark in zip(names, made["annotations"], strict=True):
        of = mark["category_id"] - 1
        draw(folder / photo, 2 * of, seed=zlib.crc32(f"{folder.name}/{photo}".encode()) % 10_000)
    return put(folder / name, made)


def photos(folder: Path, names: Sequence[str], seed: int = 0) -> list[str]:
    for number, name in enumerate(names):
        draw(folder / name, 2 * ((number + 1) % 2), seed=seed + number)
    return list(names)


def roboflow(root: Path) -> Path:
    """Category 0 only groups the others, as Roboflow writes it."""
    for number, (part, count) in enumerate((("train", 8), ("valid", 4), ("test", 4))):
        names = photos(root / part, [f"img{k}_jpg.rf.{number}{k}.jpg" for k in range(count)], 100 * number)
        made = tree(names)
        made["categories"] = [
            {"id": 0, "name": "trash", "supercategory": "none"},
            *({**item, "supercategory": "trash"} for item in made["categories"]),
        ]
        put(root / part / "_annotations.coco.json", made)
    (root / "README.roboflow.txt").write_text("exported")
    return root


def own(root: Path) -> Path:
    for number, (part, count) in enumerate((("train2017", 8), ("val2017", 4))):
        names = photos(root / part, [f"{k:012}.jpg" for k in range(count)], 100 * number)
        put(root / "annotations" / f"instances_{part}.json", tree(names))
    put(root / "annotations" / "captions_train2017.json", {"images": [], "annotations": []})
    return root


def cvat(root: Path, subsets: Sequence[str] = ("default",), inner: bool = False) -> Path:
    for number, part in enumerate(subsets):
        folder = root / "images" / part if inner else root / "images"
        names = photos(folder, [f"{part}_{k}.jpg" for k in range(6)], 100 * number)
        put(root / "annotations" / f"instances_{part}.json", tree(names))
    return root


def label_studio(root: Path, form: str = "images/{}") -> Path:
    names = photos(root / "images", [f"0c9f{k}a1b-frame.jpg" for k in range(8)])
    put(root / "result.json", tree([form.format(name) for name in names], first=0))
    return root
