"""Cameras that end, fail, hang and are slow: what is counted, what is said, and when they are given up."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from leansort.core.errors import LeansortError, UserError
from leansort.core.pixels.camera_frames import Frame
from leansort.runtime.sorting.live_source import FileSource, LiveSettings, LiveSource
from leansort.runtime.sorting.timed_frames import SourceCounts, TimedFrame
from leansort.runtime.sorting.video_frames import OpenVideo

Play = Callable[[], Iterator[None]]
QUICK = LiveSettings(stall=1.0, retries=2, wait=0.01)


def video(play: Play, *, finite: bool = False, rate: float = 30.0) -> OpenVideo:
    def frames() -> Iterator[tuple[float | None, Frame]]:
        for at, _ in enumerate(play()):
            yield at / rate, Frame(np.full((2, 2), at % 256, np.uint8), "GRAY", 2, 2)

    return OpenVideo(frames(), rate, finite, lambda: None)


def steady(count: int, pause: float = 0.005) -> Play:
    def play() -> Iterator[None]:
        for _ in range(count):
            yield
            time.sleep(pause)

    return play


def in_turns(*plays: Play | Exception) -> Callable[[], OpenVideo]:
    """An opener that gives one after the other, and then fails."""
    left = list(plays)

    def opener() -> OpenVideo:
        play = left.pop(0) if left else UserError("is not there")
        if isinstance(play, Exception):
            raise play
        return video(play)

    return opener


def collect(source: LiveSource) -> tuple[list[TimedFrame], str]:
    """All that a source gives, and why it was given up."""
    got: list[TimedFrame] = []
    try:
        for item in source:
            got.append(item)
    except LeansortError as error:
        return got, str(error)
    return got, ""


def test_one_that_ends_is_opened_again_and_numbers_go_on() -> None:
    counts = SourceCounts()
    got, why = collect(LiveSource("cam", in_turns(steady(5, 0.03), steady(5, 0.03)), QUICK, counts))
    assert why == "sort: cam is not there, and gave no frame in 2 further attempts"
    assert [item.number for item in got][-1] >= 7
    assert counts.ended == 2


def test_what_befalls_a_camera_is_counted() -> None:
    counts = SourceCounts()
    release = threading.Event()

    def hang() -> Iterator[None]:
        yield
        release.wait(5)

    def fail() -> Iterator[None]:
        yield
        time.sleep(0.02)
        raise OSError("pulled out")

    opener = in_turns(steady(4, 0.03), hang, fail, steady(4, 0.03))
    try:
        got, why = collect(LiveSource("cam", opener, QUICK, counts))
    finally:
        release.set()
    assert "is not there, and gave no frame in 2" in why
    assert (counts.stalled, counts.frames) == (1, len(got))
    assert counts.frames + counts.dropped == 10
    assert counts.ended == 2  # the first and the fourth
    assert counts.failed == 3  # pulled out, and not there, twice
    numbers = [item.number for item in got]
    assert numbers == sorted(set(numbers))
    assert all(one.time <= other.time for one, other in itertools.pairwise(got))
    assert any("gave no frame for 1 s" in line for line in counts.examples)
    assert any("pulled out" in line for line in counts.examples)


def test_frames_that_nobody_fetched_in_time_are_dropped_and_the_newest_one_is_given() -> None:
    counts, got = SourceCounts(), list[int]()
    for item in LiveSource("cam", lambda: video(steady(60), finite=True), QUICK, counts):
        got.append(item.number)
        time.sleep(0.03)
    assert counts.dropped > 20
    assert counts.frames + counts.dropped == 60
    assert got[-1] == 59
    assert max(np.diff(got)) > 1


def test_a_file_that_plays_a_camera_comes_at_its_own_pace() -> None:
    begun = time.monotonic()
    settings = LiveSettings(retries=0, paced=True)
    got = list(LiveSource("file", lambda: video(steady(20, 0), finite=True, rate=50.0), settings, SourceCounts()))
    assert time.monotonic() - begun >= 19 / 50
    assert got[-1].number == 19


def test_one_that_cannot_be_opened_the_first_time_is_refused_at_once() -> None:
    counts = SourceCounts()
    with pytest.raises(UserError, match="is not there"):
        list(LiveSource("cam", in_turns(), LiveSettings(stall=5), counts))
    assert counts.failed == 0


def test_one_that_gives_nothing_at_all_is_given_up() -> None:
    counts = SourceCounts()

    def hang() -> Iterator[None]:
        time.sleep(0.3)
        yield from ()

    with pytest.raises(LeansortError, match=r"cam gave no frame for 0.05 s, and gave no frame in 1 further attempts"):
        list(LiveSource("cam", lambda: video(hang), LiveSettings(stall=0.05, retries=1, wait=0.01), counts))
    assert counts.stalled == 2


def test_a_file_is_read_whole_and_one_that_breaks_off_says_so() -> None:
    counts = SourceCounts()
    assert [item.number for item in FileSource(lambda: video(steady(7, 0)), counts)] == list(range(7))

    def broken() -> Iterator[None]:
        yield from [None] * 3
        raise LeansortError("x.mp4: cannot be read on")

    assert len(list(FileSource(lambda: video(broken), counts))) == 3
    assert counts.failed == 1
    with pytest.raises(LeansortError, match="none of the video's frames"):
        list(FileSource(lambda: video(steady(0)), counts))
