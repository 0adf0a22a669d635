"""Labels of camera frames are those of the same pixels as an RGB array."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import leansort
from leansort.core.errors import UserError
from leansort.core.pixels.camera_frames import FORMATS, Frame
from leansort.runtime.drift.drift_journal import lines_of
from leansort.runtime.predictor import Classifier
from leansort.runtime.shipped_models import open_default
from tests.unit.core.test_camera_frames import frame_of

BOXES = [(0, 0, 320, 240), (33, 21, 97, 55), (319, 239, 1, 1), (10, 100, 200, 17)]


@pytest.fixture(scope="module")
def classifier() -> Iterator[Classifier]:
    with Classifier.of(open_default(), statistics=True) as loaded:
        yield loaded


@pytest.mark.parametrize("name", FORMATS)
def test_boxes_have_the_labels_of_arrays(name: str, classifier: Classifier) -> None:
    frame = frame_of(name, 320, 240)
    image = np.ascontiguousarray(frame.rgb())
    crops = [np.ascontiguousarray(image[y : y + h, x : x + w]) for x, y, w, h in BOXES]
    expected = [classifier.predict(crop) for crop in crops]
    together = classifier.predict_boxes(frame, BOXES)
    assert [item.label for item in together] == [item.label for item in expected]
    for one, other in zip(together, expected, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)
        assert one.statistics == other.statistics
    assert [classifier.predict(frame.at(box)) for box in BOXES] == expected
    assert list(classifier.predict_many([frame.at(box) for box in BOXES])) == expected
    assert classifier.predict(frame) == classifier.predict(image)


def test_a_box_outside_stops_all_before_any_is_classified(classifier: Classifier) -> None:
    frame = frame_of("NV12", 320, 240)
    with pytest.raises(UserError, match="not within the frame of 320 x 240"):
        classifier.predict_boxes(frame, [BOXES[0], (300, 0, 21, 10)])
    with pytest.raises(UserError, match="predict_boxes: got ndarray, need a Frame"):
        classifier.predict_boxes(np.zeros((8, 8, 3), np.uint8), [])  # type: ignore[arg-type]
    assert classifier.predict_boxes(frame, []) == []


def test_boxes_are_watched_one_by_one(tmp_path: Path) -> None:
    frame = frame_of("GRAY", 320, 240)
    with leansort.Classifier.of(open_default(), watch=tmp_path / "watch") as watched:
        watched.predict_boxes(frame, BOXES[:2])
        assert watched.journal is not None
        photos = watched.journal.folder.photos
    assert len(list(lines_of(photos))) == 2
    assert leansort.Frame is Frame
