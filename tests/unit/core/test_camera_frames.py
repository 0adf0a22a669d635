"""Camera frames: a box converted by itself has the pixels of the whole frame, converted and cropped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leansort.core import pixels
from leansort.core.errors import UserError
from leansort.core.pixels import Image
from leansort.core.pixels.camera_frames import FORMATS, Frame
from leansort.core.preprocess import Preprocess

OPENCV = {"NV12": cv2.COLOR_YUV2RGB_NV12, "I420": cv2.COLOR_YUV2RGB_I420, "YUYV": cv2.COLOR_YUV2RGB_YUYV,
          "BGR": cv2.COLOR_BGR2RGB, "GRAY": cv2.COLOR_GRAY2RGB}  # fmt: skip
backends = pytest.mark.parametrize("backend", [pixels.load(name) for name in pixels.BACKENDS], ids=pixels.BACKENDS)


def planes_of(name: str, width: int, height: int, seed: int = 0) -> list[Image]:
    """Planes (rows, bytes) of random bytes."""
    rng, half = np.random.default_rng(seed), (height // 2, width // 2)
    shapes = {
        "RGB": [(height, 3 * width)], "BGR": [(height, 3 * width)], "GRAY": [(height, width)],
        "YUYV": [(height, 2 * width)], "NV12": [(height, width), (half[0], width)],
        "I420": [(height, width), half, half],
    }[name]  # fmt: skip
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


def frame_of(name: str, width: int, height: int, seed: int = 0) -> Frame:
    data = b"".join(plane.tobytes() for plane in planes_of(name, width, height, seed))
    return Frame(data, name, width, height)


def by_opencv(name: str, width: int, height: int, seed: int) -> Image:
    """The whole frame as OpenCV makes it of one buffer."""
    data = np.concatenate([plane.ravel() for plane in planes_of(name, width, height, seed)])
    shape = {"NV12": (height * 3 // 2, width), "I420": (height * 3 // 2, width), "GRAY": (height, width),
             "YUYV": (height, width, 2)}.get(name, (height, width, 3))  # fmt: skip
    image = data.reshape(shape)
    return np.asarray(image if name == "RGB" else cv2.cvtColor(image, OPENCV[name]), np.uint8)


@st.composite
def boxed(draw: st.DrawFn) -> tuple[str, int, int, tuple[int, int, int, int], int]:
    name, width, height = draw(st.sampled_from(FORMATS)), 2 * draw(st.integers(1, 24)), 2 * draw(st.integers(1, 24))
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    box = (x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y)))
    return name, width, height, box, draw(st.integers(0, 99))


@backends
@settings(max_examples=150, deadline=None)
@given(boxed(), st.integers(0, 7), st.integers(0, 3))
def test_a_box_has_the_pixels_of_the_whole_converted_and_cropped(
    backend: pixels.Backend, drawn: tuple[str, int, int, tuple[int, int, int, int], int], gap: int, form: int
) -> None:
    name, width, height, box, seed = drawn
    x, y, w, h = box
    planes = planes_of(name, width, height, seed)
    expected = by_opencv(name, width, height, seed)[y : y + h, x : x + w]
    gap += gap % 2 if name == "I420" and form < 2 else 0
    gaps = [gap // 2 if name == "I420" and form < 2 and at else gap for at in range(len(planes))]
    padded = [np.pad(plane, ((0, 0), (0, more)), constant_values=7) for plane, more in zip(planes, gaps, strict=True)]
    strides = tuple(plane.shape[1] for plane in padded)
    joined = b"".join(plane.tobytes() for plane in padded)
    cut = joined[: len(joined) - gaps[-1]]  # cameras end the last row without its gap
    frame = {
        0: lambda: Frame(joined, name, width, height, strides[0]),
        1: lambda: Frame(bytearray(cut), name, width, height, strides),
        2: lambda: Frame(tuple(memoryview(plane.tobytes()) for plane in padded), name, width, height, strides),
        3: lambda: Frame([np.ascontiguousarray(plane) for plane in padded], name, width, height, strides),
    }[form]()
    got = frame.at(box).rgb(backend)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, expected)
    assert frame.at(box).shape == got.shape[:2]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("fit", ["pad", "stretch", "crop"])
def test_the_network_sees_what_it_would_of_an_rgb_array(name: str, fit: str) -> None:
    frame = frame_of(name, 120, 80)
    preprocess = Preprocess.model_validate({"size": 32, "fit": fit})
    np.testing.assert_array_equal(preprocess(frame.at((9, 7, 71, 55))), preprocess(frame.rgb()[7:62, 9:80]))


def test_an_array_may_be_a_part_of_another_one() -> None:
    whole = np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    part = whole[4:24, 10:40]
    np.testing.assert_array_equal(Frame(part, "RGB", 30, 20).rgb(), part)
    np.testing.assert_array_equal(Frame(part[::-1], "RGB", 30, 20).at((3, 2, 9, 8)).rgb(), part[::-1][2:10, 3:12])
    np.testing.assert_array_equal(Frame(whole[..., 0][:, ::2], "GRAY", 30, 40).rgb()[..., 1], whole[:, ::2, 0])


def test_a_frame_is_read_when_it_is_converted() -> None:
    data = bytearray(4 * 4)
    frame = Frame(data, "GRAY", 4, 4)
    data[:] = bytes([9]) * 16
    assert frame.rgb().tolist() == [[[9] * 3] * 4] * 4


NV12 = frame_of("NV12", 8, 8)
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"format": "NV21"}, r"got 'NV21', allowed: .*did you mean 'NV12'\?"),
    ({"format": "nv12"}, "did you mean 'NV12'"),
    ({"width": 7}, "frame width: got 7, NV12 needs an even one"),
    ({"height": 5}, "frame height: got 5, NV12 needs an even one"),
    ({"width": 0}, "frame width: got 0, allowed: whole numbers from 1"),
    ({"height": 2.0}, "frame height: got 2.0"),
    ({"width": True}, "frame width: got True"),
    ({"stride": 7}, "stride: got 7, a row has 8 bytes"),
    ({"stride": -8}, "stride: got -8, a row has 8 bytes"),
    ({"stride": "8"}, "stride: got '8', need a whole number"),
    ({"stride": (8, 6)}, "stride: got 6, a row has 8 bytes"),
    ({"stride": (8, 8, 8)}, "got 3 strides, NV12 has 2 planes"),
    ({"stride": 16}, "got 96 bytes, NV12 of these sides and strides has 120 or more"),
    ({"data": bytes(95)}, "got 95 bytes, NV12 of these sides and strides has 96 or more"),
    ({"data": b""}, "got 0 bytes"),
    ({"data": (bytes(64), bytes(31))}, "got 31 bytes"),
    ({"data": (bytes(96),)}, "got 1 buffers, NV12 has 2 planes"),
    ({"data": "text"}, "got str, need a contiguous buffer"),
    ({"data": None}, "got NoneType, need a contiguous buffer"),
    ({"data": np.zeros(96, np.float32)}, "got items of 4 bytes"),
    ({"data": np.zeros((12, 16), np.uint8)[:, ::2]}, "need a contiguous buffer"),
    ({"box": (0, 0, 0, 4)}, "which is empty"),
    ({"box": (0, 0, -1, 4)}, "which is empty"),
    ({"box": (-1, 0, 4, 4)}, "not within the frame of 8 x 8"),
    ({"box": (5, 0, 4, 4)}, "not within the frame of 8 x 8"),
    ({"box": (0, 8, 1, 1)}, "not within the frame of 8 x 8"),
    ({"box": (0, 0, 4)}, "need four whole numbers"),
    ({"box": (0, 0, 4.0, 4)}, "need four whole numbers"),
    ({"box": 5}, "need four whole numbers"),
    ({"format": "I420", "stride": 9, "data": bytes(999)}, "one stride of I420 must be even"),
    ({"format": "YUYV", "width": 5, "data": bytes(999)}, "YUYV needs an even one"),
    ({"format": "GRAY", "data": np.zeros((8, 9), np.uint8)[:, ::2]}, "needs 8 rows of 8 bytes"),
    ({"format": "GRAY", "stride": 8, "data": np.zeros((8, 16), np.uint8)[:, ::2]}, "needs no stride beside it"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), MISTAKES, ids=[str(number) for number in range(len(MISTAKES))])
def test_a_mistake_is_said_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        replace(NV12, **changes)
    assert "\n" not in str(caught.value)
