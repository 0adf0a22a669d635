"""The annotated video of `leansort sort`: what is in sight, what is decided, and the line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from leansort.core.errors import MissingExtraError
from leansort.runtime.sorting.belt_sorter import BeltSorter
from leansort.runtime.sorting.frame_annotation import DECIDED, OPEN, UNKNOWN, Mark, annotate_frame
from leansort.runtime.sorting.sort_decision import SortDecision
from leansort.runtime.sorting.timed_frames import TimedFrame
from leansort.runtime.sorting.video_writer import VideoWriter


class SortVideo:
    """Writes annotated frames; the file is whole when the block ends, however it ends.

    Args:
        path: of the video; None writes none.

    Raises:
        UserError: it cannot be written there.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, path: Path | None) -> None:
        self._decided: dict[int, SortDecision] = {}
        try:
            self._writer = None if path is None else VideoWriter(path)
        except ModuleNotFoundError:
            raise MissingExtraError("av", "video") from None
        self._path = path

    @property
    def path(self) -> Path | None:
        """The file; None where there is none."""
        return self._path if self._writer is not None and self._writer.size is not None else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, timed: TimedFrame, sorter: BeltSorter, decisions: Sequence[SortDecision]) -> None:
        """Draw a frame.

        Raises:
            MachineError: it cannot be written.
        """
        if self._writer is None:
            return
        sight = sorter.in_sight
        self._decided |= {item.object: item for item in decisions}
        self._decided = {
            track.number: self._decided[track.number] for track, _, _ in sight if track.number in self._decided
        }
        marks = [
            _open_mark(track.box, track.number, votes.winner())
            for track, votes, done in sight
            if not done and not track.missed
        ]
        marks += [
            _decided_mark(track.box, self._decided[track.number])
            for track, _, _ in sight
            if track.number in self._decided and not track.missed
        ]
        marks += [_decided_mark(item.box, item) for item in decisions if item.decided == "frame"]
        self._writer.write(
            annotate_frame(timed, marks, _line(timed, sorter) if sorter.finds_boxes else None), timed.time
        )


def _open_mark(box: tuple[int, int, int, int], number: int, winner: tuple[str, float, bool, bool | None]) -> Mark:
    return box, f"{number} {winner[0]}?" if winner[0] else f"{number}", OPEN


def _decided_mark(box: tuple[int, int, int, int], item: SortDecision) -> Mark:
    text = f"{item.object} {item.label or 'no label'} {item.confidence:.0%}"
    doubt = "unknown" if item.known is False else "" if item.accepted else "rejected"
    return box, f"{text} {doubt}".strip(), UNKNOWN if doubt else DECIDED


def _line(timed: TimedFrame, sorter: BeltSorter) -> tuple[int, int, int, int]:
    width, height = timed.frame.width, timed.frame.height
    at = sorter.deadline if sorter.direction in ("right", "down") else 1 - sorter.deadline
    if sorter.direction in ("right", "left"):
        return round(at * width), 0, round(at * width), height
    return 0, round(at * height), width, round(at * height)
