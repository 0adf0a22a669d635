"""What every source gives, and what it counts meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from leansort.core.pixels.camera_frames import Frame
from leansort.core.process.console import say
from leansort.core.writing.escaping import printable

_NAMED = 5  # faults of a kind that are named one by one; of more, their number


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """A frame of a source.

    Attributes:
        frame: the pixels.
        number: of the frame in its source, from 0; frames that were dropped have numbers, too.
        time: when it was taken, in seconds since the first frame.
        arrived: when it came, by `time.monotonic`, in seconds.
        name: of the photo; empty of a video.
        boxes: of a detector that sent them along; None where there was none.
    """

    frame: Frame
    number: int
    time: float
    arrived: float
    name: str = ""
    boxes: tuple[tuple[float, ...], ...] | None = None


@dataclass
class SourceCounts:
    """What befell a source.

    Attributes:
        frames: number of frames that were given.
        dropped: number of frames that were passed over, because newer ones had come.
        ended: number of times that a live source ended.
        failed: number of times that one failed, or could not be opened again.
        stalled: number of times that none of its frames came in time.
        damaged: number of packets and frames that could not be decoded.
        unreadable: number of photos, lines and boxes that could not be used.
        examples: the first faults of each kind.
    """

    frames: int = 0
    dropped: int = 0
    ended: int = 0
    failed: int = 0
    stalled: int = 0
    damaged: int = 0
    unreadable: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, kind: str, why: str) -> None:
        """Count a fault, and say it where it is one of the first.

        Args:
            kind: attribute that counts it.
            why: names it.
        """
        count = getattr(self, kind) + 1
        setattr(self, kind, count)
        if count <= _NAMED:
            self.examples.append(why)
            say(f"sort: {printable(why)}")


class FrameSource(Protocol):
    """Gives frames in order, until it ends. Owns what it opened, and closes it when its iteration ends."""

    counts: SourceCounts

    def __iter__(self) -> Iterator[TimedFrame]:
        """Give the frames.

        Raises:
            UserError: there is nothing that can be read.
            LeansortError: a live source is gone, and did not come back.
        """
        ...
