"""Boxes without a detector: most of them are where the drawn objects are, and few are anywhere else."""

from __future__ import annotations

import numpy as np
import pytest

from leansort.core.pixels import Image
from leansort.core.pixels.camera_frames import Frame
from leansort.data.synthetic.belt_layout import BeltLook
from leansort.data.synthetic.belt_video import belt_frames
from leansort.runtime.sorting.motion.box_tracker import overlap
from leansort.runtime.sorting.moving_objects import WARM_UP, MovingObjects, reduced


def frame_of(rgb: Image) -> Frame:
    return Frame(rgb, "RGB", rgb.shape[1], rgb.shape[0])


@pytest.mark.parametrize("glare", [0.0, 0.5])
def test_boxes_are_those_of_the_objects(glare: float) -> None:
    finder, hits, there, wrong = MovingObjects(), 0, 0, 0
    for number, (rgb, things) in enumerate(belt_frames(5, 130, BeltLook(width=320, height=180, glare=glare))):
        boxes = finder.boxes(frame_of(rgb))
        if number < WARM_UP:
            assert boxes == []
            continue
        whole = [thing.box for thing in things if thing.visible == 1]
        hits += sum(max((overlap(box, found) for found in boxes), default=0) > 0.5 for box in whole)
        there += len(whole)
        wrong += sum(max((overlap(thing.box, found) for thing in things), default=0) < 0.1 for found in boxes)
    assert there > 200
    assert hits / there > 0.85
    assert wrong / there < 0.05


def test_an_empty_belt_has_no_boxes_and_light_that_changes_is_none() -> None:
    finder, rng = MovingObjects(), np.random.default_rng(0)
    for number in range(WARM_UP + 20):
        shade = 90 if number < WARM_UP + 10 else 190
        rgb = np.clip(shade + rng.normal(0, 3, (120, 200, 3)), 0, 255).astype(np.uint8)
        assert finder.boxes(frame_of(rgb)) == []


def test_another_size_begins_anew() -> None:
    finder = MovingObjects()
    for _ in range(WARM_UP + 3):
        finder.boxes(frame_of(np.full((120, 200, 3), 60, np.uint8)))
    bright = np.full((90, 160, 3), 60, np.uint8)
    bright[30:60, 40:90] = 250
    assert finder.boxes(frame_of(bright)) == []
    dark = np.full((90, 160, 3), 60, np.uint8)
    for _ in range(WARM_UP):
        finder.boxes(frame_of(dark))
    [(x, y, width, height)] = finder.boxes(frame_of(bright))
    assert overlap((x, y, width, height), (40, 30, 50, 30)) > 0.8


def test_a_frame_is_reduced_and_never_enlarged() -> None:
    assert reduced(frame_of(np.zeros((720, 1280, 3), np.uint8))).shape == (184, 327, 3)
    assert reduced(frame_of(np.zeros((20, 30, 3), np.uint8))).shape == (20, 30, 3)
    assert reduced(frame_of(np.zeros((1, 90_000, 3), np.uint8))).shape[0] == 1
