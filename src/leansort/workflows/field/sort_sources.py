"""What `leansort sort` reads, by its name, and where the boxes come from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from leansort.core.errors import MissingExtraError, UserError, did_you_mean
from leansort.core.writing.escaping import without_password
from leansort.runtime.sorting.belt_sorter import Finder
from leansort.runtime.sorting.box_lines import BoxFile
from leansort.runtime.sorting.live_source import FileSource, LiveSettings, LiveSource
from leansort.runtime.sorting.photo_sources import FolderSource, LineSource
from leansort.runtime.sorting.timed_frames import FrameSource, SourceCounts
from leansort.runtime.sorting.video_frames import CAMERA, open_video

STDIN, BELT, WHOLE = "-", "belt", "frame"
STALL, RETRIES = 10.0, 5
_URL = re.compile(r"[a-z][a-z0-9+.-]+://.+", re.I)


@dataclass(frozen=True)
class SortOptions:
    """How a source is sorted.

    Attributes:
        boxes: `belt` for what differs from the background, `frame` for each frame as a whole, or a file of boxes; empty
            for `belt` of videos and `frame` of photos, or the boxes that lines bring.
        deadline: as a fraction of the frame; None for 0.8.
        direction: in which the belt moves; empty for right.
        stall: seconds without a frame after which a live source is opened again, or a folder ends; None for 10.
        retries: attempts without a frame after which a live source is given up; None for 5.
        live: whether a file plays a camera: at its own pace, with frames dropped where sorting falls behind.
        mqtt: address of a broker and topic that decisions are sent to; empty for none.
        webhook: address that decisions are posted to; empty for none.
        votes: boxes of a frame that are classified at most; None for all.
    """

    boxes: str = ""
    deadline: float | None = None
    direction: str = ""
    stall: float | None = None
    retries: int | None = None
    live: bool = False
    mqtt: str = ""
    webhook: str = ""
    votes: int | None = None


def open_source(source: str, options: SortOptions, counts: SourceCounts, stream: BinaryIO | None) -> FrameSource:
    """Return what a name stands for; nothing but standard input is read yet.

    Raises:
        UserError: there is nothing of that name, or an option has no effect on it.
        MissingExtraError: PyAV is not installed.
    """
    path = Path(source)
    if source == STDIN and stream is not None:
        if _begins_with_object(stream):
            _refuse(options, "lines of photos", "live", "stall", "retries")
            return LineSource(stream, counts)
        return _video(source, stream, options, counts)
    if path.is_dir():
        _refuse(options, "a folder", "live", "retries")
        return FolderSource(path, STALL if options.stall is None else options.stall, counts)
    if path.is_file():
        return _video(source, source, options, counts)
    if CAMERA.fullmatch(source) or _URL.fullmatch(source):
        if CAMERA.fullmatch(source) and not path.exists():
            raise UserError(f"sort: camera {source} is not there{_others()}")
        _refuse(options, "a camera or stream, which is live anyhow,", "live")
        _require_av()
        settings = LiveSettings(_positive(options.stall), RETRIES if options.retries is None else options.retries)
        return LiveSource(
            without_password(source), lambda: open_video(source, counts, seconds=settings.stall), settings, counts
        )
    if path.exists():
        raise UserError(f"sort: {source} is no file, folder or camera; a pipe goes in by -: leansort sort - < {source}")
    near = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
    raise UserError(
        f"sort: {source} is not there{did_you_mean(path.name, near)}; allowed: /dev/videoN, a URL, a video, a folder, -"
    )


def box_finder(source: str, options: SortOptions, counts: SourceCounts) -> Finder | None:
    """Return what gives the boxes of a frame; None takes it as a whole.

    Raises:
        UserError: the file of boxes cannot be used.
        MissingExtraError: OpenCV is not installed, and the background is to be told from objects.
    """
    photos = Path(source).is_dir() or source == STDIN
    kind = options.boxes or (WHOLE if photos else BELT)
    if kind == WHOLE:
        return None
    if kind != BELT:
        return BoxFile(Path(kind), counts)
    try:
        from leansort.runtime.sorting.moving_objects import MovingObjects
    except ModuleNotFoundError:
        raise MissingExtraError("cv2", "video") from None
    belt = MovingObjects()
    return lambda timed: belt.boxes(timed.frame)


def _video(name: str, source: str | BinaryIO, options: SortOptions, counts: SourceCounts) -> FrameSource:
    _require_av()
    if options.live:
        _refuse(options, "a file", "stall", "retries")
        return LiveSource(name, lambda: open_video(source, counts), LiveSettings(retries=0, paced=True), counts)
    _refuse(options, "a file", "stall", "retries")
    return FileSource(lambda: open_video(source, counts), counts)


def _begins_with_object(stream: BinaryIO) -> bool:
    """Whether lines of JSON come, and not a video; waits for the first byte.

    Raises:
        UserError: nothing comes.
    """
    peek = getattr(stream, "peek", None)
    if peek is None:  # a file of a program's own, which can be sought in
        first = stream.read(1)
        stream.seek(0)
    else:
        first = peek(1)[:1]
    if not first:
        raise UserError("sort: standard input is empty")
    return bool(first in b"{ \t\r\n\xef")


def _require_av() -> None:
    try:
        import av  # noqa: F401
    except ModuleNotFoundError:
        raise MissingExtraError("av", "video") from None


def _refuse(options: SortOptions, what: str, *names: str) -> None:
    for name in names:
        if getattr(options, name) not in (None, False):
            raise UserError(f"sort: --{name} has no effect on {what}")


def _positive(stall: float | None) -> float:
    if stall is not None and stall <= 0:
        raise UserError(f"sort: --stall: got {stall:g}, a camera or stream needs more than 0 seconds")
    return STALL if stall is None else stall


def _others() -> str:
    there = sorted(str(path) for path in Path("/dev").glob("video*"))
    return f"; there are {', '.join(there)}" if there else "; no camera is"
