"""From frames to decisions: boxes, tracks, votes, and a line before which every object is decided, once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from leansort.core.errors import UserError, not_one_of
from leansort.core.pixels.camera_frames import Box
from leansort.runtime.predictor import Classifier
from leansort.runtime.sorting.motion.box_tracker import BoxTracker, Track
from leansort.runtime.sorting.object_votes import ObjectVotes
from leansort.runtime.sorting.sort_decision import SortDecision
from leansort.runtime.sorting.timed_frames import TimedFrame

Finder: TypeAlias = Callable[[TimedFrame], Sequence[Sequence[float]]]
Why: TypeAlias = Literal["deadline", "lost", "end", "resized", "frame"]
DIRECTIONS = ("right", "left", "down", "up")
LEAST_SEEN = 3  # frames that something has to be in before it is an object
_EDGE = 2  # pixels from the frame's edge within which a box counts as cut off


@dataclass
class SorterCounts:
    """What became of the boxes.

    Attributes:
        outside: boxes that were not within the frame, not even in part, or were no boxes.
        fleeting: tracks that were lost before they were seen three times, and classified once.
        late: objects that were first seen behind the deadline, or just before it; they are not decided.
        resized: how often the frames changed their size.
        boxes: boxes that were classified.
        spared: boxes that were not, because their frame had more than are classified of one.
    """

    outside: int = 0
    fleeting: int = 0
    late: int = 0
    resized: int = 0
    boxes: int = 0
    spared: int = 0


@dataclass
class _Object:
    votes: ObjectVotes = field(default_factory=ObjectVotes)
    done: bool = False
    late: bool = False


class BeltSorter:
    """Decides what each object is, once, from all frames that it was seen in. Not for several threads.

    Holds the objects that are in sight, and nothing of those that have gone.

    Args:
        classifier: a loaded bundle.
        finder: gives the boxes of a frame; None takes each frame as a whole, as an object of its own.
        deadline: where the line is, as a fraction of the frame in the belt's direction, 0.05 to 1. An object is
            decided in the last frame before its front crosses it.
        direction: in which the belt moves, one of `DIRECTIONS`.
        votes: boxes of a frame that are classified at most, at least 1; None for all. Objects with the fewest votes
            come first, and of those the ones that are nearest to the line, so that all get as many and none is decided
            without: objects whose last chance it is are classified however many they are.

    Raises:
        UserError: a deadline, direction or number of votes that is not allowed.
    """

    def __init__(
        self,
        classifier: Classifier,
        finder: Finder | None,
        *,
        deadline: float = 0.8,
        direction: str = "right",
        votes: int | None = None,
    ) -> None:
        if direction not in DIRECTIONS:
            raise not_one_of("sort: direction", direction, DIRECTIONS)
        if not 0.05 <= deadline <= 1:
            raise UserError(f"sort: deadline: got {deadline:g}, allowed: 0.05 to 1, a fraction of the frame")
        if votes is not None and votes < 1:
            raise UserError(f"sort: votes: got {votes}, allowed: 1 or more boxes of a frame")
        self.counts = SorterCounts()
        self.deadline, self.direction, self._votes = deadline, direction, votes
        self._classifier, self._finder = classifier, finder
        self._tracker, self._objects = BoxTracker(), dict[int, _Object]()
        self._last: TimedFrame | None = None
        self._whole = 0

    @property
    def finds_boxes(self) -> bool:
        """Whether boxes of a frame are followed, in place of the frame as a whole."""
        return self._finder is not None

    def find_by(self, finder: Finder) -> None:
        """Take boxes from here on by another finder."""
        self._finder = finder

    @property
    def in_sight(self) -> list[tuple[Track, ObjectVotes, bool]]:
        """The objects that are followed, with their votes, and whether each one is decided."""
        return [
            (track, item.votes, item.done)
            for track in self._tracker.tracks
            if (item := self._objects.get(track.number))
        ]

    def take(self, timed: TimedFrame) -> list[SortDecision]:
        """Take a frame, and return what is decided by it.

        Raises:
            IntegrityError: the graph fails.
        """
        if self._finder is None:
            return [self._whole_frame(timed)]
        decisions = self._resized(timed)
        self._last = timed
        boxes = self._within(timed, self._finder(timed))
        tracks, lost = self._tracker.update(boxes, timed.number)
        decisions += self._decided(lost, timed, "lost")
        self._vote(timed, tracks)
        due = [track for track in self._tracker.tracks if self._is_due(track, timed)]  # seen in this frame or not
        return decisions + self._decided(due, timed, "deadline")

    def end(self) -> list[SortDecision]:
        """Decide what is still open when the source has ended."""
        lost = self._tracker.clear()
        return self._decided(lost, self._last, "end") if self._last else []

    def _whole_frame(self, timed: TimedFrame) -> SortDecision:
        self._whole += 1
        self.counts.boxes += 1
        votes, height, width = ObjectVotes(), timed.frame.height, timed.frame.width
        votes.add(self._classifier.predict(timed.frame))
        return _decision(self._whole, votes, (0, 0, width, height), timed, "frame", 1)

    def _resized(self, timed: TimedFrame) -> list[SortDecision]:
        last = self._last
        if last is None or (last.frame.width, last.frame.height) == (timed.frame.width, timed.frame.height):
            return []
        self.counts.resized += 1
        return self._decided(self._tracker.clear(), last, "resized")

    def _within(self, timed: TimedFrame, boxes: Sequence[Sequence[float]]) -> list[Box]:
        inside = [cut_box(box, timed.frame.width, timed.frame.height) for box in boxes]
        self.counts.outside += sum(box is None for box in inside)
        return [box for box in inside if box is not None]

    def _vote(self, timed: TimedFrame, tracks: Sequence[Track]) -> None:
        """Have the frame vote on what is open and in sight as a whole, and on what has to be decided now."""
        voting = list[tuple[_Object, Track, bool]]()
        for track in tracks:
            item = self._objects.get(track.number)
            if item is None:
                late = self._front(track, timed) > self.deadline
                item = self._objects[track.number] = _Object(done=late, late=late)
            last_chance = not item.votes.voted and self._is_due(track, timed)
            if not item.done and (last_chance or not self._is_cut(track.box, timed)):
                voting.append((item, track, last_chance))
        voting = self._most_urgent(voting, timed)
        if voting:
            self.counts.boxes += len(voting)
            made = self._classifier.predict_boxes(timed.frame, [track.box for _, track, _ in voting])
            for (item, _, _), prediction in zip(voting, made, strict=True):
                item.votes.add(prediction)

    def _most_urgent(
        self, voting: list[tuple[_Object, Track, bool]], timed: TimedFrame
    ) -> list[tuple[_Object, Track, bool]]:
        """The objects that the frame votes on, where it may not vote on all; see `votes`."""
        if self._votes is None or len(voting) <= self._votes:
            return voting
        voting.sort(key=lambda each: (not each[2], each[0].votes.voted, -self._front(each[1], timed)))
        kept = voting[: max(self._votes, sum(last_chance for _, _, last_chance in voting))]
        self.counts.spared += len(voting) - len(kept)
        return kept

    def _is_cut(self, box: Box, timed: TimedFrame) -> bool:
        x, y, width, height = box
        right, bottom = timed.frame.width - _EDGE, timed.frame.height - _EDGE
        return x < _EDGE or y < _EDGE or x + width > right or y + height > bottom

    def _front(self, track: Track, timed: TimedFrame) -> float:
        """Where the object's front is, as a fraction of the frame in the belt's direction."""
        x, y, width, height = track.expected if track.missed else track.box
        far, wide = (x + width) / timed.frame.width, (y + height) / timed.frame.height
        near, high = x / timed.frame.width, y / timed.frame.height
        return {"right": far, "left": 1 - near, "down": wide, "up": 1 - high}[self.direction]

    def _is_due(self, track: Track, timed: TimedFrame) -> bool:
        """Whether its front is behind the line in the next frame."""
        along = track.velocity[0 if self.direction in ("right", "left") else 1]
        side = timed.frame.width if self.direction in ("right", "left") else timed.frame.height
        ahead = along / side if self.direction in ("right", "down") else -along / side
        return self._front(track, timed) + max(0.0, ahead) > self.deadline

    def _decided(self, tracks: Sequence[Track], timed: TimedFrame, why: Why) -> list[SortDecision]:
        decisions = []
        for track in tracks:
            item = self._objects.setdefault(track.number, _Object())
            if not item.done and _is_object(track, item):
                decisions.append(_decision(track.number, item.votes, track.box, timed, why, track.seen))
            elif why == "deadline":
                item.late = item.late or not item.done
            elif item.late or not item.done:
                real = item.late and track.seen >= LEAST_SEEN
                self.counts.late += real
                self.counts.fleeting += not real
            item.done = True
            if why != "deadline":
                del self._objects[track.number]
        return decisions


def _is_object(track: Track, item: _Object) -> bool:
    return track.seen >= LEAST_SEEN and item.votes.voted > 0


def cut_box(box: Sequence[float], width: int, height: int) -> Box | None:
    """Return the part of a box that is within a frame, in whole pixels; None where there is none."""
    x, y, w, h = box
    if not all(map(math.isfinite, box)) or w <= 0 or h <= 0:
        return None
    left, top = max(0, math.floor(x)), max(0, math.floor(y))
    right, bottom = min(width, math.ceil(x + w)), min(height, math.ceil(y + h))
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def _decision(number: int, votes: ObjectVotes, box: Box, timed: TimedFrame, why: Why, seen: int) -> SortDecision:
    label, confidence, accepted, known = votes.winner()
    return SortDecision(
        object=number,
        label=label,
        confidence=round(confidence, 6),
        accepted=accepted,
        known=known,
        box=box,
        frame=timed.number,
        time=round(timed.time, 4),
        decided=why,
        latency_ms=round(1e3 * (time.monotonic() - timed.arrived), 3),
        voted=votes.voted,
        seen=seen,
        changes=votes.changes,
        image=timed.name,
    )
