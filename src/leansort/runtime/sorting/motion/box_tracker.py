"""Objects followed from frame to frame: a Kalman filter a box, and overlap with where it is expected.

After SORT (Bewley et al. 2016, arXiv:1602.00763): centres move at a constant velocity, sides stay. Boxes and tracks
are matched greedily, the largest overlap first, which on a belt, where objects lie apart, differs from the best
assignment next to never. Of a belt all objects move alike: a new track begins with the velocity of the others, and
where none is known yet, with the one that most boxes agree upon (`common_motion`). The filter is written out in plain
numbers, the same for x and y: for arrays of two, numpy would take ten times as long, and there may be hundreds of
objects in sight.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leansort.core.pixels.camera_frames import Box
from leansort.runtime.sorting.motion.common_motion import common_motion

Floats = npt.NDArray[np.float64]
LEAST_OVERLAP = 0.1  # intersection over union below which a box is of another object
MOST_MISSED = 5  # frames that a track outlives unseen
_MEASURED, _CHANGE = 2.0, 1.0  # standard deviations in pixels: of a box's centre, of its velocity in a frame
_UNKNOWN = 20.0  # of a first velocity, in pixels a frame
_SURE, _SEVERAL = 5, 3  # frames after which a velocity is sure; tracks of which that suffices for a belt's


@dataclass(eq=False)
class Track:
    """An object that is followed.

    Attributes:
        number: of the object, from 1.
        box: as last seen, in pixels.
        centre: expected position x, y in pixels.
        velocity: pixels a frame along x and y.
        spread: of position and velocity, the same along x and y: variance of the position, covariance, variance of the
            velocity.
        seen: number of frames in which it was.
        missed: number of frames since it was seen last.
    """

    number: int
    box: Box
    centre: tuple[float, float]
    velocity: tuple[float, float]
    spread: tuple[float, float, float] = (_MEASURED**2, 0.0, _UNKNOWN**2)
    seen: int = 1
    missed: int = 0

    @property
    def expected(self) -> tuple[float, float, float, float]:
        """Box at the expected position: x, y, width, height."""
        width, height = self.box[2:]
        return self.centre[0] - width / 2, self.centre[1] - height / 2, width, height

    def predict(self, frames: int) -> None:
        """Move on by a number of frames."""
        (x, y), (along, down), (place, both, speed) = self.centre, self.velocity, self.spread
        self.centre = (x + frames * along, y + frames * down)
        noise = frames * _CHANGE**2
        self.spread = (
            place + 2 * frames * both + frames**2 * speed + noise * frames**2 / 4,
            both + frames * speed + noise * frames / 2,
            speed + noise,
        )
        self.missed += frames

    def correct(self, box: Box) -> None:
        """Take in where it was seen."""
        (x, y), (along, down), (place, both, speed) = self.centre, self.velocity, self.spread
        seen_x, seen_y = _centre(box)
        gain, push = place / (place + _MEASURED**2), both / (place + _MEASURED**2)
        self.centre = (x + gain * (seen_x - x), y + gain * (seen_y - y))
        self.velocity = (along + push * (seen_x - x), down + push * (seen_y - y))
        self.spread = (place - gain * place, both - gain * both, speed - push * both)
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
        self._agree(boxes, step)
        for track in self.tracks:
            track.predict(step)
        matches = match_boxes([track.expected for track in self.tracks], boxes)
        velocity = self._usual_velocity()
        found = [self._corrected(matches.get(at), box, velocity) for at, box in enumerate(boxes)]
        lost = [track for track in self.tracks if track.missed > max(MOST_MISSED, step)]
        self.tracks = [track for track in self.tracks if track not in lost]
        return found, lost

    def clear(self) -> list[Track]:
        """Forget all tracks, and return them."""
        lost, self.tracks = self.tracks, []
        return lost

    def _agree(self, boxes: Sequence[Box], step: int) -> None:
        """While no velocity is sure, have tracks begin with the one that most of them agree upon."""
        if sum(track.seen >= _SURE for track in self.tracks) >= _SEVERAL:
            return
        motion = common_motion([track.box for track in self.tracks if not track.missed], boxes)
        if motion is None:
            return
        for track in self.tracks:
            if track.seen < _SURE:
                track.velocity = (motion[0] / step, motion[1] / step)

    def _usual_velocity(self) -> tuple[float, float]:
        known = [track.velocity for track in self.tracks if track.seen > 2]
        known = known or [track.velocity for track in self.tracks]
        return (statistics.median(x for x, _ in known), statistics.median(y for _, y in known)) if known else (0.0, 0.0)

    def _corrected(self, match: int | None, box: Box, velocity: tuple[float, float]) -> Track:
        if match is not None:
            self.tracks[match].correct(box)
            return self.tracks[match]
        self._made += 1
        track = Track(self._made, box, _centre(box), velocity)
        self.tracks.append(track)
        return track


def match_boxes(expected: Sequence[Sequence[float]], boxes: Sequence[Box]) -> dict[int, int]:
    """Return which expected box each box is, by their indices; those without enough overlap are left out."""
    if not expected or not boxes:
        return {}
    shares = overlaps(np.array(expected, np.float64), np.array(boxes, np.float64))
    which, at = np.nonzero(shares >= LEAST_OVERLAP)
    order = np.argsort(-shares[which, at], kind="stable")
    matches, taken = dict[int, int](), set[int]()
    for one, other in zip(which[order].tolist(), at[order].tolist(), strict=True):
        if other not in matches and one not in taken:
            matches[other] = one
            taken.add(one)
    return matches


def overlaps(first: Floats, second: Floats) -> Floats:
    """Intersection over union of each box of one list with each of another: (n, 4) and (m, 4) give (n, m)."""
    one, other = first[:, None], second[None]
    ends = np.minimum(one[..., :2] + one[..., 2:], other[..., :2] + other[..., 2:])
    sides = np.maximum(ends - np.maximum(one[..., :2], other[..., :2]), 0.0)
    both = sides[..., 0] * sides[..., 1]
    return np.asarray(both / (one[..., 2] * one[..., 3] + other[..., 2] * other[..., 3] - both), np.float64)


def overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two boxes x, y, width, height."""
    width = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    height = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (first[2] * first[3] + second[2] * second[3] - both)


def _centre(box: Box) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2
