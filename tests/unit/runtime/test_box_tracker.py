"""Boxes of following frames are given to the objects that they are of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leansort.runtime.sorting.motion.box_tracker import MOST_MISSED, BoxTracker, match_boxes, overlap


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-9, 9), st.floats(-9, 9), st.integers(25, 90), st.lists(st.integers(1, 3), min_size=10, max_size=30),
    st.integers(0, 99),
)  # fmt: skip
def test_two_objects_that_move_alike_stay_two(dx: float, dy: float, side: int, steps: list[int], seed: int) -> None:
    tracker, frame, numbers = BoxTracker(), 0, set()
    for at, step in enumerate(steps):
        frame += step if at > 3 else 1  # frames are dropped once the velocity is known
        jitter = (seed * (at + 1)) % 3 - 1
        first = (round(500 + dx * frame) + jitter, round(500 + dy * frame), side, side)
        second = (round(800 + dx * frame), round(500 + dy * frame) - jitter, side, side)
        found, lost = tracker.update([second, first] if at % 2 else [first, second], frame)
        assert not lost
        numbers.add(tuple(track.number for track in (reversed(found) if at % 2 else found)))
    assert numbers == {(1, 2)}
    assert [track.seen for track in tracker.tracks] == [len(steps)] * 2
    assert tracker.tracks[0].velocity == pytest.approx((dx, dy), abs=1.5)


def test_an_object_that_is_hidden_for_some_frames_is_the_same_one() -> None:
    tracker = BoxTracker()
    for frame in range(8):
        tracker.update([(10 * frame, 5, 40, 40)], frame)
    for frame in range(8, 8 + MOST_MISSED):
        found, lost = tracker.update([], frame)
        assert (found, lost) == ([], [])
    found, _ = tracker.update([(10 * (8 + MOST_MISSED), 5, 40, 40)], 8 + MOST_MISSED)
    assert [track.number for track in found] == [1]


def test_an_object_that_is_gone_is_lost_once() -> None:
    tracker = BoxTracker()
    tracker.update([(0, 0, 10, 10)], 0)
    lost = [track.number for frame in range(1, 20) for track in tracker.update([], frame)[1]]
    assert lost == [1]
    assert tracker.tracks == []


def test_a_new_object_is_expected_to_move_as_the_others_do() -> None:
    tracker = BoxTracker()
    for frame in range(6):
        tracker.update([(30 * frame, 0, 60, 60)], frame)
    tracker.update([(180, 0, 60, 60), (5, 200, 20, 20)], 6)
    found, _ = tracker.update([(210, 0, 60, 60), (35, 200, 20, 20)], 7)  # no overlap with where it was
    assert [track.number for track in found] == [1, 2]


def test_the_largest_overlap_is_matched_first() -> None:
    expected = [(0, 0, 10, 10), (4, 0, 10, 10)]
    assert match_boxes(expected, [(3, 0, 10, 10), (0, 0, 10, 10)]) == {0: 1, 1: 0}
    assert match_boxes(expected, [(50, 0, 10, 10)]) == {}
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 10, 10)) == 0
