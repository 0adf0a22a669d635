"""What the steps of a compression are timed on: the graph alone, or the way from an encoded photo to its label."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from leansort.measure.timing import latency
from leansort.recipe.load import validate_recipe
from leansort.recipe.schema import Recipe
from leansort.runtime.predictor import Classifier
from leansort.workflows.compression import step_timing
from tests.support.graphs import SIZE, colour_bundle


def recipe(timed: str) -> Recipe:
    compress = {"seconds": 0.02, "timed": timed}
    return validate_recipe({"name": "quick", "data": {"source": "sample"}, "compress": compress}, "quick")


def photos(count: int) -> list[bytes]:
    made = []
    for number in range(count):
        file = io.BytesIO()
        Image.fromarray(np.full((SIZE, SIZE, 3), 5 * number, np.uint8)).save(file, "PNG")
        made.append(file.getvalue())
    return made


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The photos that were decoded on the way to a label, in order."""
    seen = list[bytes]()
    predict = Classifier.predict

    def noted(self: Classifier, picture: bytes) -> object:
        seen.append(picture)
        return predict(self, picture)

    monkeypatch.setattr(Classifier, "predict", noted)
    monkeypatch.setattr(latency, "BLOCK_S", 0.01)
    return seen


def test_the_way_to_a_label_is_timed_over_whole_rounds_of_the_photos(decoded: list[bytes]) -> None:
    """A photo more or less would be taken for a gain."""
    shown = photos(7)
    times = step_timing.time_bundles(recipe("label"), shown, {"before": colour_bundle(), "now": colour_bundle()})
    assert set(decoded) == set(shown)
    assert all(len(taken) >= 49 and len(taken) % 7 == 0 for taken in times.values())


def test_the_network_alone_decodes_nothing(decoded: list[bytes]) -> None:
    times = step_timing.time_bundles(recipe("model"), photos(7), {"now": colour_bundle()})
    assert len(times["now"]) >= step_timing.LEAST
    assert decoded == []


def test_the_last_table_is_timed_alike(decoded: list[bytes]) -> None:
    shown = photos(3)
    rows = step_timing.step_latencies(recipe("label"), shown, {"start": colour_bundle()})
    assert {row.step for row in rows} == {"start"}
    assert set(decoded) == set(shown)
