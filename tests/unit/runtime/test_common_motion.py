"""How far a belt went is told by all of its boxes together, however full it is."""

from __future__ import annotations

import numpy as np
import pytest

from leansort.core.pixels.camera_frames import Box
from leansort.runtime.sorting.motion.box_tracker import BoxTracker
from leansort.runtime.sorting.motion.common_motion import common_motion


def full_belt(seed: int = 0, lanes: int = 6) -> list[tuple[float, Box]]:
    """Objects of many sizes in lanes, 50 to 80 pixels apart: their places along the belt, and their boxes at 0."""
    rng, things = np.random.default_rng(seed), list[tuple[float, Box]]()
    for lane in range(lanes):
        at = -600.0
        while at < 400:
            at += rng.uniform(50, 80)
            wide, high = (int(value) for value in rng.integers(25, 45, 2))
            things.append((at, (0, 60 * lane, wide, high)))
    return things


def seen(things: list[tuple[float, Box]], moved: float) -> dict[int, Box]:
    """The boxes that are in a picture of 600 pixels, by the number of the object."""
    placed = {number: (round(at + moved), *box[1:]) for number, (at, box) in enumerate(things)}
    return {number: box for number, box in placed.items() if 0 <= box[0] <= 600 - box[2]}


@pytest.mark.parametrize("step", [-47, -12, 0, 12, 33, 47])
def test_the_shift_of_a_full_belt_is_found_even_beyond_half_the_distance_of_its_objects(step: int) -> None:
    things = full_belt()
    before, after = (list(seen(things, moved).values()) for moved in (300, 300 + step))
    assert common_motion(before, after) == pytest.approx((step, 0), abs=1)


def test_few_boxes_or_several_answers_tell_nothing() -> None:
    row: list[Box] = [(50 * at, 0, 20, 20) for at in range(8)]
    assert common_motion([], row) is None
    assert common_motion(row[:2], row[:2]) is None
    other: list[Box] = [(100 * at, 0, 200 - 9 * at, 30) for at in range(8)]
    assert common_motion(row, other) is None
    ways = [(0, 0, 20, 20), (500, 0, 20, 20)] * 3  # three of each shift
    assert common_motion([(0, 0, 20, 20)] * 3, ways) is None


@pytest.mark.parametrize("step", [15, 43])
def test_objects_of_a_full_belt_keep_their_numbers_once_three_have_been_seen(step: int) -> None:
    things, tracker = full_belt(3), BoxTracker()
    of_object, first = dict[int, set[int]](), dict[int, int]()
    for frame in range(1000 // step):
        boxes = seen(things, step * frame - 450)  # it begins empty
        tracks, _ = tracker.update(list(boxes.values()), frame)
        for number, track in zip(boxes, tracks, strict=True):
            of_object.setdefault(number, set()).add(track.number)
            first.setdefault(number, frame)
    later = [numbers for number, numbers in of_object.items() if first[number] >= 4]
    assert len(later) > 40
    assert all(len(numbers) == 1 for numbers in later)
    assert len(set.union(*later)) == len(later)
