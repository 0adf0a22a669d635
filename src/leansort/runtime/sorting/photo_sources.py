"""Photos as frames: a folder that fills, and lines of JSON that name photos, with a detector's boxes or without."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from leansort.core.errors import UserError, one_line
from leansort.core.folders.image_files import ENDINGS
from leansort.core.pixels.camera_frames import Frame
from leansort.core.preprocess import UnreadableImage, decode
from leansort.core.writing import atomic_io
from leansort.runtime.sorting.box_lines import boxes_of_line
from leansort.runtime.sorting.timed_frames import SourceCounts, TimedFrame

_POLL, _SETTLED = 0.1, 0.5  # seconds between two looks; age from which a file is taken to be whole
_LONGEST = 1 << 20  # bytes of a line


def read_photo(path: Path) -> Frame:
    """Read a photo as a frame.

    Raises:
        UnreadableImage: it cannot be read or decoded.
    """
    try:
        bgr = decode(atomic_io.read_file(path))
    except (OSError, ValueError) as error:
        raise UnreadableImage(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return Frame(bgr, "BGR", bgr.shape[1], bgr.shape[0])


class FolderSource:
    """The photos of a folder, those that are there and those that come, oldest first; see `FrameSource`.

    Args:
        folder: whose own photos are taken, not those of folders in it.
        stall: seconds without a new photo after which it ends; 0 ends with what is there.
        counts: gets what befalls it.
    """

    def __init__(self, folder: Path, stall: float, counts: SourceCounts) -> None:
        self.counts, self._folder, self._stall = counts, folder, stall
        self._done: set[str] = set()

    def __iter__(self) -> Iterator[TimedFrame]:
        """Give the photos.

        Raises:
            UserError: none came.
        """
        begun = latest = time.monotonic()
        number = 0
        while True:
            for path in self._settled():
                latest = time.monotonic()
                try:
                    frame = read_photo(path)
                except UnreadableImage as error:
                    self.counts.note("unreadable", f"{path} {error}; it is passed over")
                    continue
                self.counts.frames += 1
                yield TimedFrame(frame, number, latest - begun, latest, path.name)
                number, latest = number + 1, time.monotonic()
            if time.monotonic() - latest >= self._stall:
                break
            time.sleep(_POLL)
        if not self._done:
            raise UserError(f"sort: {self._folder} holds no photos, and none came within {self._stall:g} s")

    def _settled(self) -> list[Path]:
        """New photos that nobody writes any more; what has gone from the folder is forgotten."""
        there: dict[str, tuple[int, str]] = {}
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if (
                        Path(entry.name).suffix.lower() in ENDINGS
                        and not entry.name.startswith(".")
                        and entry.is_file()
                    ):
                        there[entry.name] = (entry.stat().st_mtime_ns, entry.name)
        except OSError as error:
            raise UserError(f"sort: {self._folder} cannot be read ({error.strerror or error})") from None
        self._done &= there.keys()
        whole = (time.time() - _SETTLED) * 1e9 if self._stall else float("inf")
        new = sorted(key for name, key in there.items() if name not in self._done and key[0] <= whole)
        self._done |= {name for _, name in new}
        return [self._folder / name for _, name in new]


class LineSource:
    """Photos that lines of JSON name, as the lines come; see `FrameSource`.

    A line is `{"image": path}`, and may have `"boxes": [[x, y, width, height], ...]` or a single `"box"`, in pixels.

    Args:
        stream: gives the lines.
        counts: gets what befalls it.
    """

    def __init__(self, stream: BinaryIO, counts: SourceCounts) -> None:
        self.counts, self._stream = counts, stream

    def __iter__(self) -> Iterator[TimedFrame]:
        """Give the photos.

        Raises:
            UserError: none of the lines named a photo that could be read.
        """
        begun, number, at = time.monotonic(), 0, 0
        while line := self._stream.readline(_LONGEST):
            at += 1
            if not line.strip():
                continue
            arrived = time.monotonic()
            try:
                name, boxes = _named(line)
                frame = read_photo(Path(name))
            except (UserError, UnreadableImage) as error:
                self.counts.note("unreadable", f"standard input, line {at}: {error}; it is passed over")
                continue
            self.counts.frames += 1
            yield TimedFrame(frame, number, arrived - begun, arrived, name, boxes)
            number += 1
        if not number:
            raise UserError(
                "sort: standard input named no photo that could be read" if at else "sort: standard input is empty"
            )


def _named(line: bytes) -> tuple[str, tuple[tuple[float, ...], ...] | None]:
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"is no JSON ({one_line(error)})") from None
    if not isinstance(tree, dict) or not isinstance(tree.get("image"), str) or not tree["image"]:
        raise UserError('need an object with the path of a photo: {"image": "photo.jpg"}')
    if "box" not in tree and "boxes" not in tree:
        return tree["image"], None
    return tree["image"], boxes_of_line(tree)
