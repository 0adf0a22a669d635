"""The golden photos: each way from a JPEG to the input is taken, and what is written is what Python says."""

from __future__ import annotations

import numpy as np
import pytest

from leansort.core import preprocess
from leansort.core.pixels import Image
from leansort.core.preprocess import Preprocess
from leansort.export.cpp.cpp_settings import checksum
from leansort.export.cpp.golden_photos import LARGEST, PHOTOS, draw_photos, frame
from leansort.export.cpp.golden_vectors import FRAMES, golden_vectors
from leansort.runtime.predictor import Classifier
from tests.support.graphs import colour_bundle


def test_the_photos_take_every_reduction_and_both_ways_to_resize(monkeypatch: pytest.MonkeyPatch) -> None:
    reductions, ways = set[int](), set[bool]()
    decode, resize = preprocess.BACKEND.decode, preprocess.BACKEND.resize

    def seen_decode(data: bytes, reduction: int) -> Image:
        reductions.add(reduction)
        return decode(data, reduction)

    def seen_resize(image: Image, width: int, height: int, *, area: bool) -> Image:
        ways.add(area)
        return resize(image, width, height, area=area)

    monkeypatch.setattr(preprocess.BACKEND, "decode", seen_decode)
    monkeypatch.setattr(preprocess.BACKEND, "resize", seen_resize)
    for data in draw_photos(64).values():
        Preprocess(size=64)(data)
    assert reductions == {1, 2, 4, 8}
    assert ways == {True, False}


def test_photos_that_would_be_too_large_are_left_out() -> None:
    assert len(draw_photos(160)) == len(PHOTOS)
    assert 0 < len(draw_photos(1024)) < len(PHOTOS)
    assert max(max(photo.width, photo.height) for photo in PHOTOS) * 1024 > LARGEST


def test_a_frame_is_noise_that_32_bits_compute() -> None:
    numbers = frame(5, 3).ravel().tolist()
    assert numbers == [(at * 2654435761 % 2**32) >> 24 for at in range(45)]
    assert {fit for _, _, fit in FRAMES} == {"pad", "stretch", "crop"}


def test_what_is_written_is_what_python_says() -> None:
    pytest.importorskip("openvino")
    bundle = colour_bundle(novelty={"method": "energy", "zero": -300.0, "span": 1.0}, temperature=50.0)
    golden = golden_vectors(bundle)
    lines = golden.files["golden.txt"].decode().splitlines()
    photos = [line.split()[1:] for line in lines if line.startswith("photo ")]
    assert len(photos) == golden.photos
    assert len([line for line in lines if line.startswith("frame ")]) == golden.frames == len(FRAMES)
    with Classifier.of(bundle, engine="openvino") as classifier:
        for name, sum_, index, novelty, accepted, *numbers in photos:
            pixels = classifier.preprocess(golden.files[name])
            assert golden.files[f"{name}.rgb"] == pixels.tobytes()
            assert checksum(pixels.tobytes()) == sum_
            made = classifier.predict(golden.files[name])
            assert bundle.meta.labels[int(index)] == made.label
            assert made.novelty == pytest.approx(float(novelty), rel=1e-6)
            assert bool(int(accepted)) == made.accepted
            np.testing.assert_allclose([float(item) for item in numbers], made.probabilities, atol=1e-7)
