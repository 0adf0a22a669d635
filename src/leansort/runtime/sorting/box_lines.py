"""Boxes of a detector: COCO's annotations, or lines of JSON, by the frame's number or the photo's name."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from pydantic import JsonValue

from leansort.core.errors import UserError, did_you_mean, one_line
from leansort.core.writing import atomic_io
from leansort.runtime.sorting.timed_frames import SourceCounts, TimedFrame

RealBox: TypeAlias = tuple[float, ...]
_NUMBERS = ("frame", "frame_id", "frame_index")  # of an image of COCO that is a frame


class BoxFile:
    """The boxes of a file, read whole: by frame number, or by name.

    Args:
        path: COCO's JSON (`images`, `annotations`), or lines of JSON with `frame` (a number) or `image` (a name), and
            `box` or `boxes`, each x, y, width and height in pixels.
        counts: gets the lines that cannot be used.

    Raises:
        UserError: the file cannot be read, or holds no boxes.
    """

    def __init__(self, path: Path, counts: SourceCounts) -> None:
        self._boxes: dict[int | str, list[RealBox]] = defaultdict(list)
        self._path, self._counts = path, counts
        try:
            text = atomic_io.read_file(path).decode("utf-8-sig")
        except FileNotFoundError:
            near = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
            allowed = ["belt", "frame", *near]
            raise UserError(
                f"sort: --boxes: {path} is not there; allowed: belt, frame, or a file{did_you_mean(path.name, allowed)}"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"sort: --boxes: {path} cannot be read ({getattr(error, 'strerror', None) or one_line(error)})"
            ) from None
        tree = _whole(text)
        if tree is None:
            self._read_lines(text)
        else:
            self._read_coco(tree)
        if not self._boxes:
            raise UserError(f"sort: --boxes: {path} holds no boxes by frame or image")

    def __call__(self, timed: TimedFrame) -> list[RealBox]:
        """Return the boxes of a frame; none where the file has none of it."""
        if timed.name:
            return self._boxes.get(timed.name) or self._boxes.get(Path(timed.name).name) or []
        return self._boxes.get(timed.number, [])

    def _read_lines(self, text: str) -> None:
        for at, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                tree = json.loads(line)
                where, boxes = _place(tree), boxes_of_line(tree)
                self._boxes[where] += boxes
            except (ValueError, RecursionError, UserError) as error:
                self._counts.note("unreadable", f"{self._path}, line {at}: {one_line(error)}; it is passed over")

    def _read_coco(self, tree: Mapping[str, JsonValue]) -> None:
        images, annotations = tree.get("images"), tree.get("annotations")
        if not isinstance(images, list) or not isinstance(annotations, list):
            raise UserError(
                f"sort: --boxes: {self._path} has no lists `images` and `annotations`, and is no lines of JSON"
            )
        places: dict[object, int | str] = {}
        for image in images:
            if isinstance(image, dict):
                number = next((image[name] for name in _NUMBERS if isinstance(image.get(name), int)), None)
                place = number if isinstance(number, int) else str(image.get("file_name", ""))
                places[str(image.get("id"))] = place
        for at, item in enumerate(annotations):
            try:
                if not isinstance(item, dict) or str(item.get("image_id")) not in places:
                    raise UserError("names no image of the file")
                boxes = boxes_of_line({"box": item.get("bbox")})
                self._boxes[places[str(item.get("image_id"))]] += boxes
            except UserError as error:
                self._counts.note("unreadable", f"{self._path}, annotation {at}: {error}; it is passed over")


def boxes_of_line(tree: Mapping[str, JsonValue]) -> tuple[RealBox, ...]:
    """Return the boxes that a line has.

    Args:
        tree: has `box`, or `boxes`, whose items are boxes or objects with `box` or `bbox`.

    Raises:
        UserError: a box is not four finite numbers.
    """
    items = tree.get("boxes", [tree.get("box", tree.get("bbox"))])
    if not isinstance(items, list):
        raise UserError(f"boxes: got {one_line(items, 40)}, need a list")
    return tuple(_box(item.get("box", item.get("bbox")) if isinstance(item, dict) else item) for item in items)


def _box(item: JsonValue) -> RealBox:
    numbers = [float(value) for value in item if isinstance(value, int | float)] if isinstance(item, list) else []
    if not isinstance(item, list) or len(numbers) != 4 or len(item) != 4 or not all(map(math.isfinite, numbers)):
        raise UserError(f"box: got {one_line(item, 60)}, need [x, y, width, height]")
    return tuple(numbers)


def _place(tree: JsonValue) -> int | str:
    if isinstance(tree, dict):
        number, name = tree.get("frame"), tree.get("image")
        if isinstance(number, int) and not isinstance(number, bool):
            return number
        if isinstance(name, str) and name:
            return name
    raise UserError("need an object with `frame`, a number, or `image`, a name")


def _whole(text: str) -> dict[str, JsonValue] | None:
    """The text as one object; None where it is lines of them, or nothing at all."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) and ("images" in tree or "annotations" in tree) else None
