from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leansort.data.coco import masks
from leansort.data.coco.frames import box_of, crop_frames


def runs_of(mask: np.ndarray[Any, Any]) -> list[int]:
    """COCO's run lengths of a mask, the slow and plain way: down the columns, background first."""
    runs, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


def compressed(runs: list[int]) -> str:
    """COCO's string form, after the description of its C code."""
    out = ""
    for number, run in enumerate(runs):
        value = run - (runs[number - 2] if number > 2 else 0)
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            out += chr((bits | (0x20 if more else 0)) + 48)
    return out


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_bounds_of_runs_are_those_of_the_pixels(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    runs = runs_of(mask)
    size = {"size": [height, width]}
    expected = None
    if mask.any():
        ys, xs = np.nonzero(mask)
        expected = (xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1)
    assert masks.mask_bounds(size | {"counts": runs}) == expected
    assert masks.mask_bounds(size | {"counts": compressed(runs)}) == expected


def test_a_published_run_length_string() -> None:
    """Origin: worked by hand from COCO's format: 2 background, 3 foreground, 4 background pixels of a 3x3 mask."""
    assert masks.mask_bounds({"size": [3, 3], "counts": "234"}) == (0.0, 0.0, 2.0, 3.0)


@pytest.mark.parametrize(
    "broken",
    [
        None, [], [[]], {}, {"size": [3, 3]}, {"size": [3], "counts": [9]}, {"size": [3, 3], "counts": "Ȁ"},
        {"size": [3, 3], "counts": "o"}, {"size": [3, 3], "counts": [1, 99]}, {"size": [3, 3], "counts": [-1, 3]},
        {"size": [1e9, 1e9], "counts": [1, 1]}, {"size": [3, 3], "counts": [9]}, [[1, 2, math.nan, 3]], [[1, 2, 3]],
        "x",
        {"size": [3, 3], "counts": [2**62, 2**62, 2**62]}, [["a", "b"]], 5, {"size": ["a", 3], "counts": []},
    ],
)  # fmt: skip
def test_damaged_segmentations_have_no_bounds(broken: Any) -> None:
    assert masks.mask_bounds(broken) is None


def test_polygons_of_several_parts() -> None:
    assert masks.mask_bounds([[1, 2, 5, 2, 5, 9], [10, 4, 12, 4, 11, 3]]) == (1.0, 2.0, 11.0, 7.0)


@settings(max_examples=300, deadline=None)
@given(
    st.tuples(*[st.floats(-1e12, 1e12)] * 4), st.integers(1, 5000), st.integers(1, 5000), st.floats(0, 2),
    st.integers(1, 50),
)  # fmt: skip
def test_what_can_be_cut_lies_in_the_photo(
    box: tuple[float, ...], width: int, height: int, margin: float, least: int
) -> None:
    result = crop_frames(np.array([box]), np.array([[width, height]], np.float64), margin, least)
    left, top, right, bottom = result.edges[0]
    if result.fault[0] == 0:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert min(right - left, bottom - top) >= least
    assert result.fault[0] != 0 or (box[2] > 0 and box[3] > 0)


@pytest.mark.parametrize(
    ("box", "edges", "clipped", "fault"),
    [
        ((10, 20, 30, 40), (10, 20, 40, 60), False, 0),
        ((-5, 20, 30, 40), (0, 20, 25, 60), True, 0),
        ((-0.4, 0, 30.2, 40), (0, 0, 30, 40), False, 0),
        ((80, 80, 50, 50), (80, 80, 100, 100), True, 0),
        ((10, 10, 0, 40), None, False, 1),
        ((10, 10, -4, 40), None, False, 1),
        ((200, 10, 20, 20), None, False, 2),
        ((-30, 10, 20, 20), None, False, 2),
        ((10, 10, 7, 40), None, False, 3),
        ((95, 10, 30, 30), None, False, 3),
    ],
)
def test_boxes_in_a_photo_of_100_by_100(
    box: tuple[float, ...], edges: tuple[int, ...] | None, clipped: bool, fault: int
) -> None:
    result = crop_frames(np.array([box], np.float64), np.array([[100.0, 100.0]]), 0.0, 8)
    assert (result.fault[0], result.clipped[0]) == (fault, clipped)
    assert edges is None or tuple(result.edges[0]) == edges


def test_margin_is_a_share_of_the_longer_side_and_stops_at_the_frame() -> None:
    result = crop_frames(np.array([[40.0, 5, 20, 10]]), np.array([[100.0, 100.0]]), 0.5, 8)
    assert tuple(result.edges[0]) == (30, 0, 70, 25)
    assert not result.clipped[0]


def test_a_box_comes_from_bbox_or_else_from_the_polygon() -> None:
    polygon = b"[[2, 3, 10, 3, 10, 8]]"
    both = SimpleNamespace(bbox=[0, 0, 9, 9], segmentation=polygon)
    assert box_of(both, False) == (0, 0, 9, 9)
    assert box_of(both, True) == (2, 3, 8, 5)
    assert box_of(SimpleNamespace(bbox=None, segmentation=polygon), False) == (2, 3, 8, 5)
    wrong: Any
    for wrong in ([1, 2, 3], [1, 2, 3, None], [1, 2, 3, "4"], "abcd", [1, 2, 3, 1e999], {}, [1, 2, 3, 4, 5], 7):
        assert box_of(SimpleNamespace(bbox=wrong, segmentation=b""), False) is None
