"""What is decided about an object."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from leansort.core.pixels.camera_frames import Box
from leansort.core.writing.escaping import json_text


@dataclass(frozen=True, slots=True)
class SortDecision:
    """A decision, made once for each object.

    Attributes:
        object: number of the object, from 1, in the order in which they were first seen.
        label: name of the class; empty where no frame could be classified.
        confidence: mean confidence of that label over the frames that voted, 0 to 1.
        accepted: whether the frames that were accepted outweigh the others.
        known: the same for known; None of a bundle that does not tell it.
        box: x, y, width and height where the object was seen last, in pixels of the frame.
        frame: number of the frame in which it was decided, from 0.
        time: of that frame in seconds since the first one.
        decided: why then: at the `deadline`, when it was `lost`, at the `end` of the source, when the frames `resized`,
            or `frame` where each frame is an object.
        latency_ms: from the arrival of that frame to the decision, in milliseconds.
        voted: number of frames that voted.
        seen: number of frames that the object was seen in.
        changes: how often the label changed from one voting frame to the next.
        image: name of the photo; empty of a video.
    """

    object: int
    label: str
    confidence: float
    accepted: bool
    known: bool | None
    box: Box
    frame: int
    time: float
    decided: str
    latency_ms: float
    voted: int
    seen: int
    changes: int
    image: str = ""

    def line(self) -> str:
        """Return it as one line of JSON, as it is printed and sent."""
        return json_text(asdict(self))
