"""Annotated frames: texts lie within the picture and name what was decided."""

from __future__ import annotations

import numpy as np
import pytest

from leansort.core.pixels.camera_frames import Frame
from leansort.runtime.sorting.frame_annotation import DECIDED, OPEN, annotate_frame
from leansort.runtime.sorting.timed_frames import TimedFrame


def frame(width: int = 320, height: int = 180) -> TimedFrame:
    return TimedFrame(Frame(np.full((height, width, 3), 255, np.uint8), "RGB", width, height), 0, 0.0, 0.0)


@pytest.mark.parametrize("box", [(0, 0, 20, 20), (300, 0, 20, 20), (300, 160, 20, 20), (0, 100, 320, 80)])
def test_a_text_is_within_the_picture_wherever_its_box_is(box: tuple[int, int, int, int]) -> None:
    drawn = annotate_frame(frame(), [(box, "12 cardboard 99% unknown", DECIDED)], None)
    middle = annotate_frame(frame(), [((100, 100, 20, 20), "12 cardboard 99% unknown", DECIDED)], None)
    inked = [int((image.max(-1) < 90).sum()) for image in (drawn, middle)]
    assert inked[0] == inked[1] > 50  # no letter is cut off
    assert drawn.shape == (180, 320, 3)


def test_boxes_and_the_line_have_their_colours() -> None:
    drawn = annotate_frame(frame(), [((40, 60, 50, 50), "1", OPEN)], (250, 0, 250, 180))
    assert tuple(drawn[109, 60]) == OPEN
    assert tuple(drawn[85, 65]) == (255, 255, 255)
    assert drawn[90, 250, 0] < 120 < drawn[90, 250, 2]
