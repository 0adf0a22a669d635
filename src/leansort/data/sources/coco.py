"""COCO annotations: every box becomes a crop, written as a picture of its own.

Crops are files because that is what a robot and the contest feed the classifier: training then sees the very
pixels, JPEG noise included, that `predict` will see.
"""

from __future__ import annotations

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
from pydantic import BaseModel, ConfigDict, Field

from leansort.core import store
from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.manifest import SPLITS, duplicates
from leansort.core.preprocess import UnreadableImage, decode
from leansort.data.items import Item, Items

Box = tuple[float, float, float, float]
QUALITY = 95
Cut = tuple[list[Item], Counter[str]]


class Config(BaseModel):
    """Where the annotations and photos are.

    Attributes:
        path: the annotation file.
        images: the folder that the annotations' file names are relative to; None: the annotation file's folder.
        out: gets `crops/<split>/`.
        min_size: boxes narrower or lower than this many pixels are dropped and counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    images: Path | None = None
    out: Path
    min_size: int = Field(default=8, ge=1)


def items(config: Config) -> Items:
    """Cut out all boxes.

    An image record may carry `split`; without it the import splits by photo.

    Raises:
        UserError: the file is not COCO, ids are doubled or dangling, a file name leaves the folder of the photos,
            or a photo is missing.
    """
    tree = _checked(store.read_json(config.path, "annotations"), config.path)
    names = {c["id"]: str(c["name"]) for c in sorted(tree["categories"], key=lambda c: c["id"])}
    boxes: dict[Any, list[dict[str, Any]]] = {image["id"]: [] for image in tree["images"]}
    for annotation in tree["annotations"]:
        boxes[annotation["image_id"]].append(annotation)
    photos = config.images or config.path.parent
    places = {image["id"]: _inside(photos, image["file_name"]) for image in tree["images"]}
    with ThreadPoolExecutor() as pool:
        cuts = list(pool.map(lambda i: _cut(i, places[i["id"]], boxes[i["id"]], names, config), tree["images"]))
    notes = sum((counted for _, counted in cuts), Counter[str]())
    listed = [item for cut, _ in cuts for item in cut]
    return Items(listed, LabelSet.of(names.values()), config.out, {"photos": len(cuts), **notes})


def _checked(tree: Any, path: Path) -> dict[str, Any]:
    parts = ("images", "annotations", "categories")
    if not isinstance(tree, dict) or any(not isinstance(tree.get(part), list) for part in parts):
        raise UserError(f"annotations: {path} is not COCO; it needs the lists {', '.join(parts)}")
    needed = {
        "images": ("id", "file_name"),
        "annotations": ("id", "image_id", "category_id"),
        "categories": ("id", "name"),
    }
    for part, keys in needed.items():
        for number, record in enumerate(tree[part]):
            missing = [key for key in keys if not isinstance(record, dict) or key not in record]
            if missing:
                raise UserError(f"annotations: {path}: {part}[{number}] lacks {', '.join(missing)}")
        doubled = duplicates([str(record["id"]) for record in tree[part]])
        if doubled:
            raise UserError(f"annotations: {path}: {part} has the id {doubled[0]} twice ({len(doubled)} doubled ids)")
    for key, part in (("image_id", "images"), ("category_id", "categories")):
        known = {record["id"] for record in tree[part]}
        lost = [a["id"] for a in tree["annotations"] if a[key] not in known]
        if lost:
            raise UserError(
                f"annotations: {path}: annotation {lost[0]} has a {key} that is not in {part} ({len(lost)} such)"
            )
    return tree


def _inside(photos: Path, name: Any) -> Path:
    pure = PurePosixPath(str(name).replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or ":" in (pure.parts or ("",))[0]:
        raise UserError(f"annotations: file name {name!r} leaves the folder of the photos; refused")
    path = photos / pure
    if not path.is_file():
        raise UserError(f"annotations: photo {name!r} is not in {photos}; give its folder with --images")
    return path


def _cut(
    image: dict[str, Any], photo: Path, annotations: list[dict[str, Any]], names: dict[Any, str], config: Config
) -> Cut:
    counted: Counter[str] = Counter()
    split = image.get("split")
    if split is not None and split not in SPLITS:
        raise UserError(f"annotations: image {image['id']} has split {split!r}, allowed: {', '.join(SPLITS)}")
    try:
        pixels = decode(photo.read_bytes())
    except UnreadableImage as error:
        raise UserError(f"annotations: photo {photo} {error}") from None
    made = []
    for annotation in annotations:
        box = _clipped(annotation, pixels.shape[1], pixels.shape[0], config.min_size, counted)
        if box is None:
            continue
        x, y, w, h = (int(value) for value in box)
        path = (
            config.out / "crops" / (split or "all") / f"{PurePosixPath(image['file_name']).stem}_{annotation['id']}.jpg"
        )
        _, data = cv2.imencode(".jpg", pixels[y : y + h, x : x + w], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        store.write_bytes(path, data.tobytes())
        group = str(image["file_name"])
        made.append(Item(path, names[annotation["category_id"]], split, group, group, box))
    return made, counted


def _clipped(annotation: dict[str, Any], width: int, height: int, least: int, counted: Counter[str]) -> Box | None:
    """Clip a box to the frame, in whole pixels; None, and counted, where nothing usable is left."""
    if annotation.get("iscrowd"):
        counted["crowd dropped"] += 1
        return None
    box = annotation.get("bbox")
    if (
        not isinstance(box, list)
        or len(box) != 4
        or not all(isinstance(v, (int, float)) and math.isfinite(v) for v in box)
    ):
        counted["box not four finite numbers, dropped"] += 1
        return None
    x, y, w, h = box
    left, top, right, bottom = max(0, round(x)), max(0, round(y)), min(width, round(x + w)), min(height, round(y + h))
    if x < -0.5 or y < -0.5 or x + w > width + 0.5 or y + h > height + 0.5:
        counted["box clipped to the frame"] += 1
    if right - left < least or bottom - top < least:
        counted[f"box under {least} px dropped"] += 1
        return None
    return float(left), float(top), float(right - left), float(bottom - top)
