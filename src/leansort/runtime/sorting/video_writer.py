"""Videos written by PyAV: H.264, or MPEG-4 where that is not there; the file takes its name when it is whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from leansort.core.errors import MachineError, UserError, one_line
from leansort.core.pixels import Image

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream

ENDINGS = (".mp4", ".mkv", ".mov")
_TICKS = 90_000  # a second, as usual in video


class VideoWriter:
    """Writes RGB frames to a video of the first one's size. Not for several threads.

    Args:
        path: of the file; ends in one of `ENDINGS`. Beside it lies `NAME.part.mp4` (or so) until `close`.
        quality: constant rate factor of H.264, 0 (best) to 51.

    Raises:
        UserError: the name ends otherwise, or there is no such folder.
        ModuleNotFoundError: PyAV is not installed.
    """

    def __init__(self, path: Path, *, quality: int = 20) -> None:
        import av

        if path.suffix.lower() not in ENDINGS:
            raise UserError(f"video: got {path.name}, allowed endings: {', '.join(ENDINGS)}")
        if not path.absolute().parent.is_dir() or path.is_dir():
            raise UserError(f"video: {path} cannot be written: no such folder, or a folder itself")
        self._path, self._part = path, path.with_name(f"{path.stem}.part{path.suffix}")
        self._codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        self._quality, self._last = quality, -1
        try:
            self._container = av.open(str(self._part), "w")
        except OSError as error:
            raise UserError(f"video: {path} cannot be written ({error.strerror or error})") from None
        self._stream = cast("VideoStream", self._container.add_stream(self._codec, rate=25))
        self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, _TICKS)
        self.size: tuple[int, int] | None = None

    def write(self, rgb: Image, seconds: float) -> None:
        """Add a frame.

        Args:
            rgb: uint8 (height, width, 3). Of another size than the first one's, the part that fits is written on
                black ground; a last odd row or column is left out.
            seconds: its time from the beginning; those of frames that follow are later.

        Raises:
            MachineError: it cannot be written.
        """
        import av

        if self.size is None:
            self.size = (rgb.shape[0] // 2 * 2, rgb.shape[1] // 2 * 2)
            self._stream.height, self._stream.width = self.size
            self._stream.pix_fmt = "yuv420p"
            options = {"crf": str(self._quality), "preset": "veryfast"} if self._codec == "libx264" else {}
            self._stream.codec_context.options = options
            self._stream.codec_context.thread_count = 1  # the same bytes for the same frames
        picture = av.VideoFrame.from_ndarray(_fitted(rgb, self.size), format="rgb24").reformat(format="yuv420p")
        self._last = max(round(seconds * _TICKS), self._last + 1)
        picture.pts, picture.time_base = self._last, Fraction(1, _TICKS)
        self._mux(picture)

    def _mux(self, picture: VideoFrame | None) -> None:
        import av

        try:
            self._container.mux(self._stream.encode(picture))
        except (av.FFmpegError, OSError) as error:
            raise MachineError(f"video: {self._path} cannot be written ({one_line(error)})") from None

    def close(self) -> None:
        """Finish the file; of no frames, none is left."""
        if self.size is not None:
            self._mux(None)
        self._container.close()
        if self.size is None:
            self._part.unlink(missing_ok=True)
        else:
            self._part.replace(self._path)

    def discard(self) -> None:
        """Give up what was written."""
        self._container.close()
        self._part.unlink(missing_ok=True)


def _fitted(rgb: Image, size: tuple[int, int]) -> Image:
    height, width = size
    if rgb.shape[:2] == size:
        return np.ascontiguousarray(rgb)
    out = np.zeros((height, width, 3), np.uint8)
    part = rgb[:height, :width]
    out[: part.shape[0], : part.shape[1]] = part
    return out
