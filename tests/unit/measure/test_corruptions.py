"""Corruptions: what ImageNet-C has is its own, levels are in order, objects are cut out or refused."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest

from leansort.core.seeds import Seeds
from leansort.measure.corruptions import cut_out, light, regions
from leansort.measure.corruptions.arrays import Floats, Image, convolve
from leansort.measure.corruptions.kinds import BACKGROUND, KINDS, Kind, Scene
from leansort.measure.corruptions.surroundings import Margins, extend
from leansort.measure.corruptions.textures import DRAWN, Grounds

HEIGHT, WIDTH = 96, 128


def rng(name: str = "a") -> np.random.Generator:
    return Seeds(0).child(name).numpy()


def disk(radius: float = 30.0) -> Floats:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.asarray(np.hypot(y - 50, x - 60) < radius, np.float32)


def photo() -> Image:
    """A striped disk on a white board that is lit from one side, with a soft shadow and some noise."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    board = np.stack([200 + 0.3 * x, 195 + 0.3 * x, 180 + 0.3 * x], axis=2)
    board *= (1 - 0.35 * np.exp(-((np.hypot(y - 60, x - 70) / 40) ** 4)))[..., None]
    stripes = np.where((y // 6 % 2)[..., None], (40.0, 90.0, 160.0), (190.0, 40.0, 30.0))
    made = np.where(disk()[..., None] > 0, stripes, board) + rng().normal(0, 2, (HEIGHT, WIDTH, 3))
    return np.clip(made, 0, 255).astype(np.uint8)


def test_levels_of_imagenet_c_are_those_of_its_code() -> None:
    """hendrycks/robustness, ImageNet-C/create_c/make_imagenet_c.py."""
    assert KINDS["noise"].levels == (0.08, 0.12, 0.18, 0.26, 0.38)
    assert KINDS["shot_noise"].levels == (60, 25, 12, 5, 3)
    assert list(KINDS["blur"].levels) == [3, 4, 6, 8, 10]
    assert KINDS["motion_blur"].levels == ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))
    assert KINDS["brighter"].levels == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert KINDS["contrast"].levels == (0.4, 0.3, 0.2, 0.1, 0.05)
    assert KINDS["jpeg"].levels == (25, 18, 15, 10, 7)
    assert sum(bool(kind.source) for kind in KINDS.values()) == 7


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_kind_is_deterministic_leaves_the_photo_and_grows(kind: Kind[Any]) -> None:
    image = photo()
    scene, before = Scene(image, disk()), image.copy()
    made = [kind.apply(scene, level, rng(kind.name)) for level in (1, 2, 3, 4, 5)]
    assert np.array_equal(image, before)
    for item in made:
        assert item.dtype == np.uint8
        assert item.ndim == 3
        assert item.shape[2] == 3
    assert np.array_equal(made[2], kind.apply(scene, 3, rng(kind.name)))
    if made[0].shape == made[4].shape == image.shape:
        off = [float(np.abs(item.astype(float) - image).mean()) for item in (made[0], made[4])]
        assert off[1] > 1.2 * off[0] > 0
    else:
        assert kind.name == "crop_error"


@pytest.mark.parametrize("shape", [(16, 16), (16, 90), (300, 17)])
def test_every_kind_bears_odd_sides(shape: tuple[int, int]) -> None:
    image = rng().integers(0, 256, (*shape, 3), dtype=np.uint8)
    scene = Scene(image, np.ones(shape, np.float32))
    for kind in KINDS.values():
        for level in (1, 5):
            made = kind.apply(scene, level, rng(kind.name))
            assert made.shape == image.shape or kind.name == "crop_error", kind.name
            assert min(made.shape[:2]) >= 8


def test_brighter_adds_to_the_value_of_hsv() -> None:
    image = rng().integers(0, 256, (4, 4, 3), dtype=np.uint8)
    made = light.brighten(image, 0.2, rng())
    for old, new in zip(image.reshape(-1, 3), made.reshape(-1, 3), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*(old / 255))
        assert np.abs(np.array(colorsys.hsv_to_rgb(h, s, min(v + 0.2, 1))) * 255 - new).max() <= 1


def test_a_colour_cast_keeps_the_light() -> None:
    grey = np.full((8, 8, 3), 120, np.uint8)
    made = light.cast_colour(grey, 0.6, rng()).astype(float)
    linear = (made / 255) ** 2.2 @ (0.2126, 0.7152, 0.0722)
    assert linear.mean() == pytest.approx((120 / 255) ** 2.2, rel=0.02)
    assert np.ptp(made[0, 0]) > 20


def test_convolution_by_fourier_is_the_plain_one() -> None:
    image = rng().integers(0, 256, (13, 17, 3), dtype=np.uint8)
    kernel = np.array([[0.0, 1, 0], [2, 3, 1], [0, 1, 0]])
    padded = np.pad(image.astype(float), ((1, 1), (1, 1), (0, 0)), mode="edge")
    plain = (
        sum(kernel[dy, dx] * padded[2 - dy : 15 - dy, 2 - dx : 19 - dx] for dy in range(3) for dx in range(3))
        / kernel.sum()
    )
    assert np.abs(convolve(image, kernel).astype(float) - plain).max() <= 1


def test_what_surrounds_a_photo_goes_on_from_its_edges() -> None:
    image = np.full((40, 50, 3), 200, np.uint8)
    image[:, 25:] = 100
    wide = extend(image, Margins(10, 20, 15, 5), rng())
    assert wide.shape == (70, 70, 3)
    assert np.array_equal(wide[10:50, 15:65], image)
    assert abs(int(wide[45, 2, 0]) - 200) < 10
    assert abs(int(wide[5, 60, 0]) - 100) < 30


def test_an_object_on_an_even_board_is_cut_out_without_its_shadow() -> None:
    found = cut_out.by_colour(photo())
    assert found.fault == ""
    mask, truth = found.cover > 0.5, disk() > 0
    assert (mask & ~truth).mean() < 0.01
    assert (mask & truth).sum() / truth.sum() > 0.8


@pytest.mark.parametrize(
    ("image", "part"),
    [
        (np.full((96, 128, 3), 210, np.uint8), "no object stands out"),
        (rng().integers(0, 256, (96, 128, 3), dtype=np.uint8), ""),
        ((DRAWN["gravel"](rng(), 96, 128).clip(0, 1) * 255).astype(np.uint8), ""),
    ],
    ids=["empty board", "noise", "gravel"],
)
def test_what_has_no_even_ground_is_refused(image: Image, part: str) -> None:
    found = cut_out.by_colour(image)
    assert found.fault
    assert part in found.fault
    assert not found.cover.any()


def test_polygons_cover_what_they_enclose() -> None:
    found = cut_out.by_polygons([[10, 10, 30, 10, 30, 30, 10, 30], [40, 5, 50, 5, 50, 15, 40, 15]], 40, 60)
    assert found.fault == ""
    assert found.cover[20, 20] == found.cover[10, 45] == 1
    assert found.cover.sum() == pytest.approx(500, rel=0.1)
    assert cut_out.by_polygons([[100, 100, 120, 100, 120, 120]], 40, 60).fault


def test_another_ground_leaves_the_object() -> None:
    image, cover = photo(), disk(25)
    made = KINDS[BACKGROUND].apply(Scene(image, cover), 3, rng())
    inside = cover == 1
    assert np.array_equal(made[inside], image[inside])
    assert np.abs(made[~inside].astype(float) - image[~inside]).mean() > 20


def test_every_ground_is_drawn_and_a_users_own_is_used() -> None:
    for name, draw in DRAWN.items():
        made = draw(rng(name), 60, 80)
        assert made.shape == (60, 80, 3), name
        assert made.std() > 0.01, name
    own = np.zeros((50, 50, 3), np.uint8)
    own[..., 2] = 255
    blue = [Grounds((own,)).draw(rng(str(k)), 20, 30) for k in range(20)]
    assert 3 < sum(bool((item[..., 0] == 0).all()) for item in blue) < 17


def test_regions_are_reached_filled_and_measured() -> None:
    mask = np.zeros((20, 20), np.bool_)
    mask[3:12, 3:12] = True
    mask[6:9, 6:9] = False
    assert regions.fill_holes(mask)[7, 7]
    mask[15:17, 15:17] = True
    start = np.zeros_like(mask)
    start[4, 4] = True
    assert not regions.reach(start, mask)[16, 16]
    assert not regions.large_parts(mask, 0.5)[16, 16]
    assert regions.solidity(regions.fill_holes(regions.large_parts(mask, 0.5))) == 1.0
