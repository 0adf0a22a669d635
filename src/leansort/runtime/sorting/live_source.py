"""Cameras and streams: the newest frame, never an old one; opened again when they end, fail or stall.

A thread of its own reads, so that a driver that hangs stops nothing else. It leaves one frame, and a newer one takes
the place of one that nobody has fetched: that one is dropped, and counted. A thread that hangs is left behind, and
ends when the driver lets it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from leansort.core.errors import LeansortError, one_line
from leansort.core.pixels.camera_frames import Frame
from leansort.runtime.sorting.timed_frames import SourceCounts, TimedFrame
from leansort.runtime.sorting.video_frames import OpenVideo

MOST_WAIT = 30.0  # seconds between two attempts


@dataclass(frozen=True)
class LiveSettings:
    """How patient one is with a camera.

    Attributes:
        stall: seconds without a frame after which it is opened again, above 0.
        retries: attempts without a frame after which it is given up, 0 or more.
        wait: seconds before the second attempt; doubled for each further one, up to `MOST_WAIT`.
        paced: whether frames are to come at the rate of the video, as those of a file that plays a camera have to.
    """

    stall: float = 10.0
    retries: int = 5
    wait: float = 0.5
    paced: bool = False


class _Reader:
    """A thread that reads one connection, and what it has left to fetch."""

    def __init__(self, opener: Callable[[], OpenVideo], counts: SourceCounts, paced: bool) -> None:
        self._opener, self._counts, self._paced = opener, counts, paced
        self._changed = threading.Condition()
        self._latest: tuple[Frame, int, float] | None = None
        self._stopped = self.finite = False
        self.end: str | None = None  # why it has; None before
        self.failure: BaseException | None = None
        self._number = 0
        threading.Thread(target=self._read, name="leansort-source", daemon=True).start()

    def fetch(self, seconds: float) -> tuple[Frame, int, float] | None:
        """The newest frame, its number in this connection and when it came; None where none comes, or it has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._latest is not None or self.end is not None, seconds)
            taken, self._latest = self._latest, None
            return taken

    def stop(self) -> None:
        """Have the thread end as soon as it can."""
        self._stopped = True

    def _read(self) -> None:
        why, video = "ended", None
        try:
            video = self._opener()
            self.finite = video.finite
            self._pass_on(video)
        except BaseException as error:  # whatever it is, the thread that waits has to hear of it
            why, self.failure = one_line(error), error
        finally:
            if video is not None:
                video.close()
            with self._changed:
                self.end = why
                self._changed.notify_all()

    def _pass_on(self, video: OpenVideo) -> None:
        begun = time.monotonic()
        for at, (_, frame) in enumerate(video.frames):
            if self._paced:
                time.sleep(max(0.0, begun + at / video.rate - time.monotonic()))
            if self._stopped:
                return
            with self._changed:
                self._counts.dropped += self._latest is not None
                self._latest = (frame, at, time.monotonic())
                self._changed.notify_all()


class LiveSource:
    """A camera or stream as a source; see `FrameSource`.

    Args:
        name: of the source, for messages.
        opener: opens it; called again for each attempt, by a thread.
        settings: how patient one is.
        counts: gets what befalls it.
    """

    def __init__(
        self, name: str, opener: Callable[[], OpenVideo], settings: LiveSettings, counts: SourceCounts
    ) -> None:
        self.counts, self._name = counts, name
        self._opener, self._settings = opener, settings

    def __iter__(self) -> Iterator[TimedFrame]:
        """Give frames until a video with a length ends.

        Raises:
            UserError: it could not be opened the first time.
            LeansortError: it is gone, and did not come back.
        """
        begun, before, last, attempts = 0.0, 0, -1, 0
        reader = self._new_reader()
        try:
            while True:
                taken = reader.fetch(self._settings.stall)
                if taken is not None:
                    frame, number, arrived = taken
                    begun, attempts = begun or arrived, 0
                    self.counts.frames += 1
                    last = before + number
                    yield TimedFrame(frame, last, arrived - begun, arrived)
                    continue
                if reader.end == "ended" and reader.finite:
                    return
                if not self.counts.frames and reader.failure is not None and not attempts:
                    raise reader.failure
                attempts += 1
                self._note(reader, attempts)
                reader.stop()
                time.sleep(min(self._settings.wait * 2 ** (attempts - 1), MOST_WAIT))
                before = last + 1
                reader = self._new_reader()
        finally:
            reader.stop()

    def _new_reader(self) -> _Reader:
        return _Reader(self._opener, self.counts, self._settings.paced)

    def _note(self, reader: _Reader, attempts: int) -> None:
        kind = "stalled" if reader.end is None else "ended" if reader.end == "ended" else "failed"
        why = f"gave no frame for {self._settings.stall:g} s" if kind == "stalled" else reader.end
        if attempts > self._settings.retries:
            setattr(self.counts, kind, getattr(self.counts, kind) + 1)
            raise LeansortError(
                f"sort: {self._name} {why}, and gave no frame in {self._settings.retries} further attempts"
                if self._settings.retries
                else f"sort: {self._name} {why}"
            )
        self.counts.note(
            kind, f"{self._name} {why}; it is opened again (attempt {attempts} of {self._settings.retries})"
        )


class FileSource:
    """A video file, or a stream that is read to its end: every frame in order; see `FrameSource`.

    Args:
        opener: opens it.
        counts: gets what befalls it.
    """

    def __init__(self, opener: Callable[[], OpenVideo], counts: SourceCounts) -> None:
        self.counts, self._opener = counts, opener

    def __iter__(self) -> Iterator[TimedFrame]:
        """Give all frames; one that cannot be read to its end ends there, and that is counted and said.

        Raises:
            UserError: it cannot be opened, or none of its frames can be decoded.
        """
        video, number = self._opener(), 0
        try:
            for number, (at, frame) in enumerate(video.frames, 1):
                self.counts.frames += 1
                seconds = (number - 1) / video.rate if at is None else at
                yield TimedFrame(frame, number - 1, seconds, time.monotonic())
        except LeansortError as error:
            self.counts.note("failed", str(error))
        finally:
            video.close()
        if not number:
            raise LeansortError("sort: none of the video's frames could be decoded")
