"""Frames of video files, streams and cameras by PyAV (the libraries of FFmpeg), in the camera's own pixel format.

The planes of a decoded frame are handed on as they are where `Frame` has their format, so that only the boxes that are
classified become RGB.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from leansort.core.errors import LeansortError, UserError, one_line
from leansort.core.pixels.camera_frames import Frame
from leansort.core.writing.escaping import without_password
from leansort.runtime.sorting.timed_frames import SourceCounts

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

CAMERA = re.compile(r"/dev/video\d+")
_AS_THEY_ARE = {"yuv420p": "I420", "nv12": "NV12", "yuyv422": "YUYV", "rgb24": "RGB", "bgr24": "BGR", "gray": "GRAY"}
_FULL_RANGE, _BT709 = 2, 1  # of FFmpeg; a frame of these is converted by it
_UNKNOWN_RATE = 25.0  # frames a second of a video that does not say


class _Pipe:
    """A stream that cannot be sought in, and says so: PyAV asks for `seek` by its name."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        return self._stream.read(size)


@dataclass
class OpenVideo:
    """A video that was opened.

    Attributes:
        frames: in order, with their times in seconds from the first one; None where the video does not say.
        rate: frames a second.
        finite: whether it has a length, and so an end that is no fault.
        close: releases it; to be called by the thread that reads.
    """

    frames: Iterator[tuple[float | None, Frame]]
    rate: float
    finite: bool
    close: Callable[[], None]


def open_video(source: str | BinaryIO, counts: SourceCounts, *, seconds: float = 10.0) -> OpenVideo:
    """Open a file, a stream or a camera.

    Args:
        source: path, URL, `/dev/videoN`, or a binary stream.
        counts: gets what is damaged.
        seconds: for which a stream may say nothing.

    Raises:
        UserError: it cannot be opened, is no video, or has no pictures.
        ModuleNotFoundError: PyAV is not installed.
    """
    import av

    name = without_password(source) if isinstance(source, str) else "standard input"
    form = "v4l2" if isinstance(source, str) and CAMERA.fullmatch(source) else None
    av.logging.set_level(None)  # what is damaged is counted and said here
    try:
        container = av.open(
            source if isinstance(source, str) else _Pipe(source), mode="r", format=form, timeout=seconds,
            metadata_errors="ignore",
        )  # fmt: skip
    except FileNotFoundError:
        raise UserError(f"sort: {name} is not there") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or one_line(error)
        raise UserError(f"sort: {name} is no video that can be read ({why})") from None
    if not container.streams.video:
        container.close()
        raise UserError(f"sort: {name} has no pictures")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    rate = float(stream.average_rate or stream.guessed_rate or _UNKNOWN_RATE)
    finite = container.duration is not None or not isinstance(source, str) or Path(source).is_file()
    return OpenVideo(_frames(container, name, counts), rate, finite, lambda: _close(container))


def _close(container: InputContainer) -> None:
    with suppress(Exception):  # a device that was pulled out cannot be closed, either
        container.close()


def _frames(container: InputContainer, name: str, counts: SourceCounts) -> Iterator[tuple[float | None, Frame]]:
    import av

    first: float | None = None
    try:
        for packet in container.demux(container.streams.video[0]):
            try:
                decoded = packet.decode()
            except av.error.InvalidDataError as error:
                counts.note("damaged", f"{name}: a packet cannot be decoded ({error.strerror}); it is passed over")
                continue
            for picture in decoded:
                if picture.is_corrupt:
                    counts.note("damaged", f"{name}: a frame is damaged; it is passed over")
                    continue
                first = picture.time if first is None else first
                yield None if picture.time is None or first is None else picture.time - first, frame_of(picture)
    except (av.FFmpegError, OSError) as error:
        raise LeansortError(f"{name}: cannot be read on ({getattr(error, 'strerror', None) or error})") from None


def frame_of(picture: VideoFrame) -> Frame:
    """Return a decoded frame's planes as they are, or as RGB where they are of another kind; upright."""
    known = _AS_THEY_ARE.get(picture.format.name)
    plain = picture.color_range != _FULL_RANGE and picture.colorspace != _BT709 and not picture.rotation
    if known and plain and picture.width % 2 == picture.height % 2 == 0:
        planes = tuple(memoryview(plane) for plane in picture.planes)
        strides = tuple(plane.line_size for plane in picture.planes)
        return Frame(planes, known, picture.width, picture.height, strides)
    rgb = picture.to_ndarray(format="rgb24")
    turned = np.ascontiguousarray(np.rot90(rgb, round(picture.rotation / 90)), np.uint8)
    return Frame(turned, "RGB", turned.shape[1], turned.shape[0])
