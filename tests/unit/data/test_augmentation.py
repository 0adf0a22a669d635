"""Augmentation: its operators against torchvision's, its randomness against (seed, epoch, index)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any, get_args

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from leansort.arch.workarounds.torchvision_import import import_torchvision
from leansort.core.seeds import Seeds
from leansort.data.augmentation.affine import (
    FILL,
    GEOMETRIC,
    Affine,
    Pixels,
    compose,
    is_shift,
    resize_and_flip,
    resize_and_flip_map,
    rotation,
    shift_image,
    warp,
)
from leansort.data.augmentation.augment_config import PAPER, AugmentConfig, Operator
from leansort.data.augmentation.batch import Augmentation
from leansort.data.augmentation.draws import AugmentationDraws, draw_augmentation
from leansort.data.augmentation.operators import LEVELS, SIGNED, apply_step, compile_steps, strengths
from leansort.data.augmentation.per_sample_rng import uniforms
from leansort.data.loading.loader import AugmentedCrops, train_loader
from leansort.data.synthetic.scene import draw_scene

SIZE = 96
STILL: dict[str, Any] = {"min_scale": 1.0, "flip_horizontal": 0.0, "flip_vertical": 0.0, "randaugment": 0, "erase": 0.0}
EXACT = ("Identity", "Brightness", "Posterize", "Solarize", "AutoContrast", "Equalize", "Invert")
Floats = npt.NDArray[np.float64]


def crops(count: int, side: int, seed: int = 0) -> Pixels:
    scene = draw_scene(Seeds(seed).child("test/augmenting").numpy())[0]
    views = [cv2.resize(np.roll(scene, 40 * number, 1), (side, side)) for number in range(count)]
    stacked: Pixels = np.stack(views).astype(np.uint8)
    return stacked


@pytest.fixture(scope="module")
def picture() -> Pixels:
    pixels: Pixels = crops(1, SIZE)[0]
    return pixels


def usual(picture: Pixels, name: str, value: float) -> Pixels:
    """What torchvision's RandAugment makes of it, with bilinear interpolation."""
    v2 = import_torchvision("torchvision.transforms.v2")
    policy = v2.RandAugment(interpolation=v2.InterpolationMode.BILINEAR, fill=FILL)
    x_chw = torch.from_numpy(picture).permute(2, 0, 1).contiguous()
    made = policy._apply_image_or_video_transform(x_chw, name, value, policy.interpolation, policy._fill)
    made_hwc: Pixels = np.ascontiguousarray(made.permute(1, 2, 0).numpy())
    return made_hwc


def ours(picture: Pixels, drawn: Sequence[tuple[str, float]]) -> Pixels:
    for step in compile_steps(drawn, len(picture)):
        picture = apply_step(picture, step)
    return picture


def inside(picture: Pixels, *maps: Affine) -> npt.NDArray[np.bool_]:
    """Pixels that every map takes from well within the picture: at its edges torchvision blends with black first."""
    whole = np.full_like(picture, 255)
    seen = np.stack([cv2.erode(warp(whole, source, SIZE), np.ones((5, 5))) for source in maps])
    return np.asarray(seen.min(0) == 255)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", [*PAPER, "Invert"])
def test_operators_do_what_torchvisions_do(picture: Pixels, name: str, wide: bool) -> None:
    for level in (1, 7, 15, 30):
        for sign in (1, -1) if name in SIGNED else (1,):
            value = sign * float(strengths([name], SIZE, wide)[0, level])
            mine, theirs = ours(picture, [(name, value)]).astype(int), usual(picture, name, value).astype(int)
            if name in EXACT or name.startswith("Translate"):
                assert (mine == theirs).all()
            elif name in GEOMETRIC:
                apart = np.abs(mine - theirs)[inside(picture, GEOMETRIC[name](value, SIZE))]
                assert apart.mean() < 0.6  # levels; OpenCV 4 interpolates in steps of 1/32 pixel
                assert np.quantile(apart, 0.999) <= 8
            else:
                assert np.abs(mine - theirs).max() <= 1
                assert (mine != theirs).mean() < 0.05  # where the blend is a whole number, float32 may fall below it


@pytest.mark.parametrize("name", [*EXACT, "Color", "Contrast", "Sharpness"])
def test_even_and_two_level_pictures_too(name: str) -> None:
    even = np.full((SIZE, SIZE, 3), (3, 128, 255), np.uint8)
    two = even.copy()
    two[:40] = 200
    for item in (even, two):
        value = float(strengths([name], SIZE, wide=False)[0, 7])
        assert np.abs(ours(item, [(name, value)]).astype(int) - usual(item, name, value)).max() <= (name not in EXACT)


def test_solarize_add_lifts_the_dark_half() -> None:
    picture = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    made = ours(picture, [("SolarizeAdd", 110.9)])
    assert (made == np.where(picture < 128, np.minimum(picture.astype(int) + 110, 255), picture)).all()


@pytest.mark.parametrize("wide", [False, True])
def test_strengths_are_torchvisions(wide: bool) -> None:
    v2 = import_torchvision("torchvision.transforms.v2")
    space = (v2.TrivialAugmentWide if wide else v2.RandAugment)._AUGMENTATION_SPACE
    assert set(space) == set(PAPER)
    for row, name in zip(strengths(PAPER, SIZE, wide), PAPER, strict=True):
        given, signed = space[name]
        values = given(LEVELS, SIZE, SIZE)
        assert row == pytest.approx(np.zeros(LEVELS) if values is None else values.numpy(), abs=1e-5)
        assert signed == (name in SIGNED)


drawn_maps = st.tuples(st.sampled_from(sorted(GEOMETRIC)), st.floats(-40, 40)).map(
    lambda drawn: GEOMETRIC[drawn[0]](drawn[1] / (60 if drawn[0].startswith("Shear") else 1), SIZE)
)


def through(source: Affine, points: Floats) -> Floats:
    return np.asarray(points @ np.array([source[:2], source[3:5]]).T + (source.c, source.f))


@given(st.lists(drawn_maps, min_size=2, max_size=5), st.tuples(st.booleans(), st.booleans()))
def test_maps_in_a_row_are_one_map(maps: list[Affine], flips: tuple[bool, bool]) -> None:
    chain = [resize_and_flip_map(120, 70, flips, SIZE), *maps]
    points = np.random.default_rng(0).uniform(0, SIZE, (20, 2))
    item = chain[0]
    for following in chain[1:]:
        item = compose(item, following)
    for source in reversed(chain):  # a point of the outcome goes back through the last operator first
        points = through(source, points)
    assert through(item, np.random.default_rng(0).uniform(0, SIZE, (20, 2))) == pytest.approx(points, abs=1e-6)


@given(st.integers(-200, 200), st.integers(-200, 200))
def test_a_shift_is_a_warp_by_whole_pixels(right: int, down: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    source = compose(GEOMETRIC["TranslateX"](right, 32), GEOMETRIC["TranslateY"](down, 32))
    assert is_shift(source)
    assert (shift_image(picture, source) == warp(picture, source, 32)).all()


@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True), (True, True)])
def test_a_crop_flipped_turned_and_sheared_is_torchvisions_step_by_step(flips: tuple[bool, bool]) -> None:
    F, crop = import_torchvision("torchvision.transforms.v2").functional, cv2.GaussianBlur(crops(1, 120)[0], (0, 0), 2)
    x_chw = torch.from_numpy(np.asarray(crop)).permute(2, 0, 1)
    x_chw = F.resized_crop(x_chw, 10, 20, 90, 80, [SIZE, SIZE], antialias=True)
    x_chw = F.horizontal_flip(x_chw) if flips[0] else x_chw
    x_chw = F.vertical_flip(x_chw) if flips[1] else x_chw
    theirs = np.ascontiguousarray(x_chw.permute(1, 2, 0).numpy())
    chosen = [("Rotate", 20.0), ("ShearX", 0.2)]
    for name, value in chosen:
        theirs = usual(theirs, name, value)
    turn = compose(rotation(20.0, SIZE), GEOMETRIC["ShearX"](0.2, SIZE))
    mine = warp(crop[10:100, 20:100], compose(resize_and_flip_map(90, 80, flips, SIZE), turn), SIZE)
    where = inside(mine, rotation(20.0, SIZE), GEOMETRIC["ShearX"](0.2, SIZE), turn)
    assert where.mean() > 0.5
    assert np.abs(mine.astype(int) - theirs)[where].mean() < 1.0


@given(st.lists(st.tuples(st.sampled_from(get_args(Operator)), st.integers(0, 30)), max_size=5))
def test_merged_steps_keep_the_order(levels: list[tuple[str, int]]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    chosen = [(name, float(strengths([name], 32, wide=False)[0, level])) for name, level in levels]
    chosen = [(name, value) for name, value in chosen if name not in GEOMETRIC or name.startswith("Translate")]
    one_by_one = picture
    for operator in chosen:
        one_by_one = ours(one_by_one, [operator])
    assert (ours(picture, chosen) == one_by_one).all()


def test_a_config_that_varies_nothing_resizes() -> None:
    block = crops(3, 110)
    made = Augmentation(AugmentConfig(**STILL), SIZE)(block, [(0, 0), (0, 1), (4, 2)], Seeds(0))
    assert (made == np.stack([cv2.resize(item, (SIZE, SIZE)) for item in block])).all()
    x_bchw = torch.from_numpy(block).permute(0, 3, 1, 2)
    theirs = (
        import_torchvision("torchvision.transforms.v2")
        .functional.resize(x_bchw, [SIZE, SIZE], antialias=True)
        .permute(0, 2, 3, 1)
        .numpy()
    )
    assert np.abs(made.astype(int) - theirs).mean() < 2.0  # theirs smooths a little


def test_what_shrinks_much_is_averaged() -> None:
    checks = np.indices((128, 128)).sum(0)[..., None].repeat(3, 2) % 2 * 255
    made = resize_and_flip(checks.astype(np.uint8), (False, False), 64)
    assert made.min() >= 127
    assert made.max() <= 128
    turning = AugmentConfig(**STILL, rotation=30.0)
    turned = Augmentation(turning, 32)(checks.astype(np.uint8)[None], [(0, 0)], Seeds(0))[0, 8:24, 8:24]
    assert turned.std() < 1.0


@pytest.mark.parametrize("size", [16, 64, 128])
@pytest.mark.parametrize(
    "policy", [{"randaugment": 2}, {"randaugment": 6, "magnitude": 30}, {"trivial": True, "randaugment": 0}]
)
def test_shapes_and_the_input_is_left_alone(size: int, policy: dict[str, Any]) -> None:
    config = AugmentConfig(**policy, rotation=20.0, cutout=0.4, erase=1.0, operators=get_args(Operator))
    block = crops(24, 74)
    block.flags.writeable = False
    made = Augmentation(config, size)(block, [(1, index) for index in range(24)], Seeds(0))
    assert made.shape == (24, size, size, 3)
    assert made.dtype == np.uint8
    assert made.flags.c_contiguous
    oblong = Augmentation(config, size)(block[:, :, :60], [(1, index) for index in range(24)], Seeds(0))
    assert oblong.shape == made.shape


def test_a_crop_is_varied_alike_in_any_batch_order_and_copy() -> None:
    block, vary = crops(8, 74), Augmentation(AugmentConfig(trivial=True, randaugment=0, cutout=0.2), 64)
    keys = [(epoch, index) for epoch in (0, 3) for index in range(4)]
    made = vary(block, keys, Seeds(5))
    for place in (6, 1, 3):
        assert (vary(block[place : place + 1], [keys[place]], Seeds(5))[0] == made[place]).all()
    assert (vary(block[::-1], keys[::-1], Seeds(5))[::-1] == made).all()
    assert (vary(block, keys, Seeds(6)) != made).any(axis=(1, 2, 3)).sum() >= 7
    same = np.stack([block[0]] * 8)
    assert len({item.tobytes() for item in vary(same, keys, Seeds(5))}) == 8


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_gives_the_same_batches(workers: int) -> None:
    block, labels = crops(40, 74), list(range(40))

    def batches(workers: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        dataset = AugmentedCrops(block, labels, Augmentation(AugmentConfig(randaugment=2, erase=0.1), 64), Seeds(1))
        loader, sampler = train_loader(dataset, 16, workers, Seeds(1))
        sampler.epoch = 2
        return list(loader)

    for (x_bchw, label), (same_bchw, same) in zip(batches(0), batches(workers), strict=True):
        assert x_bchw.shape[1:] == (3, 64, 64)
        assert torch.equal(x_bchw, same_bchw)
        assert torch.equal(label, same)
        assert same_bchw.is_contiguous(memory_format=torch.channels_last)  # as training wants it


def test_a_machine_of_fewer_cores_than_workers_is_no_reason_to_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})
    dataset = AugmentedCrops(crops(4, 20), [0] * 4, Augmentation(AugmentConfig(), 16), Seeds(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loader, sampler = train_loader(dataset, 2, 2, Seeds(1))
        sampler.epoch = 0
        assert len(list(loader)) == 2


def test_streams_are_philox_and_pinned() -> None:
    drawn = uniforms(7, [(3, 11), (0, 0), (3, 11)], 5)
    fresh = np.random.Generator(np.random.Philox(key=7, counter=[0, 0, 11, 3])).random(5)
    assert (drawn[0] == fresh).all()
    assert (drawn[2] == fresh).all()
    assert (uniforms(7, [(3, 11)], 99)[0, :5] == fresh).all()
    assert fresh[0] == pytest.approx(0.4234466355863712)  # from this code; a change breaks resume


def many(config: AugmentConfig, count: int = 4000) -> AugmentationDraws:
    return draw_augmentation(config, 9, [(0, index) for index in range(count)], (147, 147), 128)


def test_probabilities_and_ranges() -> None:
    config = AugmentConfig(flip_horizontal=0.3, flip_vertical=0.8, erase=0.25, cutout=0.5, rotation=15.0)
    draws = many(config)
    assert draws.flips.mean(0) == pytest.approx([0.3, 0.8], abs=0.03)
    cutout, erased = draws.grey[:, 0], draws.grey[:, 1]
    assert (erased[:, 2] > 0).mean() == pytest.approx(0.25, abs=0.03)
    assert cutout[:, 2:].max() == 64  # half of 128, less where the picture's edge cuts it
    assert cutout[:, 2:].min() >= 32
    assert (draws.grey[..., :2] >= 0).all()
    assert (draws.grey[..., :2] + draws.grey[..., 2:] <= 128).all()
    turns = np.array([operators[0][1] for operators in draws.operators])
    assert {operators[0][0] for operators in draws.operators} == {"Rotate"}
    assert np.quantile(turns, [0.0, 0.5, 1.0]) == pytest.approx([-15, 0, 15], abs=1)


def _measures(boxes: npt.NDArray[np.int64]) -> tuple[Floats, ...]:
    top, left, height, width = boxes.astype(np.float64).T
    return height * width, width / height, top, left


def test_kept_boxes_are_as_large_and_as_oblong_as_torchvisions() -> None:
    boxes = many(AugmentConfig(min_scale=0.4, ratio=1.5)).kept
    with torch.random.fork_rng():
        torch.manual_seed(0)
        cut = import_torchvision("torchvision.transforms.v2").RandomResizedCrop(128, (0.4, 1.0), (1 / 1.5, 1.5))
        drawn = [cut.make_params([torch.empty(3, 147, 147)]) for _ in range(2000)]
    theirs = np.array([[item[key] for key in ("top", "left", "height", "width")] for item in drawn])
    for mine, reference in zip(_measures(boxes), _measures(theirs), strict=True):
        quantiles = [0.1, 0.5, 0.9]
        assert np.quantile(mine, quantiles) == pytest.approx(
            np.quantile(reference, quantiles), abs=0.2 * reference.std()
        )
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= 147).all()
    assert (many(AugmentConfig(min_scale=1.0)).kept == (0, 0, 147, 147)).all()


def test_randaugment_draws_every_operator_equally_often_with_replacement() -> None:
    drawn = many(AugmentConfig(randaugment=3, magnitude=30)).operators
    names = [name for operators in drawn for name, _ in operators]
    assert {len(operators) for operators in drawn} == {3}
    shares = [names.count(name) / len(names) for name in PAPER]
    assert shares == pytest.approx([1 / 14] * 14, abs=0.01)
    turns = [value for operators in drawn for name, value in operators if name == "Rotate"]
    assert set(turns) == {-30.0, 30.0}
    assert np.mean(np.array(turns) > 0) == pytest.approx(0.5, abs=0.06)


def test_trivial_augment_draws_one_operator_of_any_strength() -> None:
    drawn = many(AugmentConfig(trivial=True, randaugment=0, operators=("ShearX", "Invert"))).operators
    assert {len(operators) for operators in drawn} == {1}
    shears = np.array([value for [(name, value)] in drawn if name == "ShearX"])
    assert len(shears) == pytest.approx(2000, abs=120)
    assert len(np.unique(np.abs(shears))) == LEVELS
    assert np.abs(shears).max() == pytest.approx(0.99)


def test_turning_one_thing_on_leaves_the_rest_as_it_was() -> None:
    plain, more = (
        many(AugmentConfig(erase=0.0, randaugment=1), 50),
        many(AugmentConfig(erase=1.0, randaugment=2, cutout=0.3), 50),
    )
    assert (plain.kept == more.kept).all()
    assert (plain.flips == more.flips).all()
    assert [operator[0] for operator in plain.operators] == [operator[0] for operator in more.operators]


def test_two_policies_at_once_are_refused() -> None:
    with pytest.raises(ValidationError, match="set randaugment to 0, got 2"):
        AugmentConfig(trivial=True, randaugment=2)
    with pytest.raises(ValidationError, match="operators"):
        AugmentConfig.model_validate({"operators": ["Blur"]})
