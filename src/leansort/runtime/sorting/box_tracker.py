"""Objects followed from frame to frame: a Kalman filter a box, and overlap with where it is expected.

After SORT (Bewley et al. 2016, arXiv:1602.00763): centres move at a constant velocity, sides stay. Boxes and tracks
are matched greedily, the largest overlap first, which on a belt, where objects lie apart, differs from the best
assignment next to never. Of a belt all objects move alike: a new track begins with the velocity of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from leansort.core.pixels.camera_frames import Box

Floats = npt.NDArray[np.float64]
LEAST_OVERLAP = 0.1  # intersection over union below which a box is of another object
MOST_MISSED = 5  # frames that a track outlives unseen
_MEASURED, _CHANGE = 2.0, 1.0  # standard deviations in pixels: of a box's centre, of its velocity in a frame
_UNKNOWN = 20.0  # of a first velocity, in pixels a frame


@dataclass(eq=False)
class Track:
    """An object that is followed.

    Attributes:
        number: of the object, from 1.
        box: as last seen, in pixels.
        centre: expected position and velocity, x and y: (2, 2) of pixels and pixels a frame.
        spread: covariance of position and velocity, the same along x and y; (2, 2).
        seen: number of frames in which it was.
        missed: number of frames since it was seen last.
    """

    number: int
    box: Box
    centre: Floats
    spread: Floats = field(default_factory=lambda: np.diag([_MEASURED**2, _UNKNOWN**2]))
    seen: int = 1
    missed: int = 0

    @property
    def velocity(self) -> tuple[float, float]:
        """Pixels a frame along x and y."""
        return float(self.centre[1, 0]), float(self.centre[1, 1])

    @property
    def expected(self) -> tuple[float, float, float, float]:
        """Box at the expected position: x, y, width, height."""
        width, height = self.box[2:]
        return float(self.centre[0, 0]) - width / 2, float(self.centre[0, 1]) - height / 2, width, height

    def predict(self, frames: int) -> None:
        """Move on by a number of frames."""
        step = np.array([[1.0, frames], [0.0, 1.0]])
        self.centre = step @ self.centre
        noise = np.array([[frames**2 / 4, frames / 2], [frames / 2, 1.0]]) * frames * _CHANGE**2
        self.spread = step @ self.spread @ step.T + noise
        self.missed += frames

    def correct(self, box: Box) -> None:
        """Take in where it was seen."""
        gain = self.spread[:, 0] / (self.spread[0, 0] + _MEASURED**2)
        self.centre = self.centre + np.outer(gain, _centre(box) - self.centre[0])
        self.spread = self.spread - np.outer(gain, self.spread[0])
        self.box, self.seen, self.missed = box, self.seen + 1, 0


class BoxTracker:
    """Gives boxes of following frames to tracks. Holds no more than the tracks that are not lost."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._made, self._last = 0, -1

    def update(self, boxes: Sequence[Box], frame: int) -> tuple[list[Track], list[Track]]:
        """Take in the boxes of a frame.

        Args:
            boxes: x, y, width and height in pixels.
            frame: its number; higher than the one before. Those that were dropped count.

        Returns:
            The track of each box, in the order given; and tracks that are lost.
        """
        step = max(1, frame - self._last) if self._last >= 0 else 1
        self._last = frame
        for track in self.tracks:
            track.predict(step)
        matches = match_boxes([track.expected for track in self.tracks], boxes)
        found = [self._corrected(matches.get(at), box) for at, box in enumerate(boxes)]
        lost = [track for track in self.tracks if track.missed > max(MOST_MISSED, step)]
        self.tracks = [track for track in self.tracks if track not in lost]
        return found, lost

    def clear(self) -> list[Track]:
        """Forget all tracks, and return them."""
        lost, self.tracks = self.tracks, []
        return lost

    def _corrected(self, match: int | None, box: Box) -> Track:
        if match is not None:
            self.tracks[match].correct(box)
            return self.tracks[match]
        known = [track.velocity for track in self.tracks if track.seen > 2]
        self._made += 1
        velocity = np.median(known, axis=0) if known else np.zeros(2)
        track = Track(self._made, box, np.stack([_centre(box), velocity]))
        self.tracks.append(track)
        return track


def match_boxes(expected: Sequence[Sequence[float]], boxes: Sequence[Box]) -> dict[int, int]:
    """Return which expected box each box is, by their indices; those without enough overlap are left out."""
    pairs = [(overlap(first, box), at, which) for which, first in enumerate(expected) for at, box in enumerate(boxes)]
    matches: dict[int, int] = {}
    for share, at, which in sorted(pairs, key=lambda pair: -pair[0]):
        if share >= LEAST_OVERLAP and at not in matches and which not in matches.values():
            matches[at] = which
    return matches


def overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two boxes x, y, width, height."""
    width = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    height = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (first[2] * first[3] + second[2] * second[3] - both)


def _centre(box: Box) -> Floats:
    return np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
