"""Boxes of what lies on a belt, without a detector: what differs from the background, learned as the frames come.

OpenCV's mixture of Gaussians (Zivkovic 2004) runs on the frame reduced to some 60,000 pixels. It knows shadows, which
are left out. A belt that moves is learned like one that stands still, as long as it looks much the same everywhere.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from leansort.core.pixels.camera_frames import Box, Frame

Pixels: TypeAlias = npt.NDArray[np.uint8]
PIXELS = 60_000  # of the reduced frame
LEAST_SHARE = 0.003  # of the frame's area that an object has
MOST_SHARE = 0.6  # what covers more is no object, but light that changed
WARM_UP, _EACH = 45, 3  # frames after which something is told, and of how many one is kept for the first background
_HISTORY, _DISTANCE, _OBJECT = 300, 16.0, 255  # frames; squared Mahalanobis distance; value of a pixel of an object
_LEAST_VARIANCE = 49.0  # of a pixel: differences below 28 levels, such as stains of the belt that come round, are none
_RATE = 1 / 300  # of learning: an object that passes leaves no trace


class MovingObjects:
    """Finds boxes in frames of one camera that stands still. Not for several threads.

    The first `WARM_UP` frames tell nothing: their median is what the background begins with, so that objects which lie
    on the belt then leave no ghosts behind.
    """

    def __init__(self) -> None:
        self._size: tuple[int, ...] = ()
        self._first: list[Pixels] = []
        self._frames, self._model = 0, _new_model()

    def boxes(self, frame: Frame) -> list[Box]:
        """Return the boxes of what does not belong to the background, from left to right.

        A frame of another size than the one before begins anew.
        """
        small = reduced(frame)
        if small.shape != self._size:
            self._size, self._frames, self._first = small.shape, 0, []
        self._frames += 1
        if self._frames <= WARM_UP:
            self._learn(small)
            return []
        return _boxes(np.asarray(self._model.apply(small, learningRate=_RATE), np.uint8), frame.width, frame.height)

    def _learn(self, small: Pixels) -> None:
        if self._frames % _EACH == 0:
            self._first.append(small)
        if self._frames == WARM_UP:
            self._model = _new_model()
            self._model.apply(np.median(self._first, axis=0).astype(np.uint8), learningRate=1)
            self._first = []


def _new_model() -> cv2.BackgroundSubtractorMOG2:
    model = cv2.createBackgroundSubtractorMOG2(history=_HISTORY, varThreshold=_DISTANCE, detectShadows=True)
    model.setVarMin(_LEAST_VARIANCE)
    model.setVarInit(_LEAST_VARIANCE)
    model.setBackgroundRatio(0.7)
    return model


def reduced(frame: Frame) -> Pixels:
    """Return the frame, RGB uint8, with about `PIXELS` pixels; never enlarged."""
    scale = min(1.0, math.sqrt(PIXELS / (frame.width * frame.height)))
    size = (max(1, round(frame.width * scale)), max(1, round(frame.height * scale)))
    return np.asarray(cv2.resize(frame.rgb(), size, interpolation=cv2.INTER_AREA), np.uint8)


def _boxes(mask: Pixels, width: int, height: int) -> list[Box]:
    rows, columns = mask.shape
    objects = np.asarray(mask == _OBJECT, np.uint8)
    objects = np.asarray(cv2.morphologyEx(objects, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    near = max(3, round(0.015 * columns) | 1)  # parts of one object that are so close belong together
    objects = np.asarray(cv2.morphologyEx(objects, cv2.MORPH_CLOSE, np.ones((near, near), np.uint8)), np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(objects, connectivity=8)
    found: list[Box] = []
    for x, y, w, h, area in stats[1:].tolist():
        if area / mask.size >= LEAST_SHARE and w * h <= MOST_SHARE * mask.size:
            left, top = int(x * width / columns), int(y * height / rows)
            right, bottom = math.ceil((x + w) * width / columns), math.ceil((y + h) * height / rows)
            found.append((left, top, min(right, width) - left, min(bottom, height) - top))
    return sorted(found)
