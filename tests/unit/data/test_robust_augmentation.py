"""Training crops corrupted: off by default, decided by a crop's own key, no more than asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from leansort.core.pixels import Image as Pixels
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.augmentation.batch import Augmentation
from leansort.data.augmentation.robust import robust_corruption
from leansort.data.augmentation.robust.robust_config import GROUNDS, RobustConfig
from leansort.data.augmentation.robust.robust_corruption import RobustCorruption, grounds_of
from leansort.data.loading.object_covers import load_covers
from leansort.measure.corruptions.kinds import KINDS
from leansort.measure.corruptions.textures import DRAWN
from leansort.measure.robustness.stress_crops import StressCrop

SIZE = 40
SEEDS = Seeds(3)
EVERYTHING = RobustConfig(**dict.fromkeys(KINDS, 0.3), level=5, most=4)  # type: ignore[arg-type]


def photo(kind: int = 0) -> Pixels:
    rng = np.random.default_rng(kind)
    pixels = 205 + rng.normal(0, 1.5, (SIZE, SIZE, 3))
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    pixels[np.hypot(y - 20, x - 20) < 12] = (180, 40, 40) if kind % 2 else (30, 60, 170)
    return np.clip(pixels, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def crops() -> Pixels:
    return np.stack([photo(kind) for kind in range(12)])


@pytest.fixture(scope="module")
def covers() -> Pixels:
    y, x = np.mgrid[0:20, 0:20]
    one = np.where(np.hypot(y - 9.5, x - 9.5) < 6, 255, 0).astype(np.uint8)
    made = np.repeat(one[None], 12, axis=0)
    made[5] = 0
    return made


def test_every_kind_can_be_asked_for_and_none_is_by_default() -> None:
    assert set(RobustConfig().probabilities) == set(KINDS)
    assert not AugmentConfig().robust.is_on
    assert tuple(DRAWN) == GROUNDS


def test_a_crop_is_decided_by_its_own_key(crops: Pixels, covers: Pixels) -> None:
    corrupt, before = RobustCorruption(EVERYTHING, covers), crops.copy()
    keys = [(7, index) for index in range(12)]
    together = corrupt(crops, keys, SEEDS)
    assert np.array_equal(crops, before)
    assert together.shape == crops.shape
    assert (together != crops).any(axis=(1, 2, 3)).sum() > 6
    backwards = corrupt(crops[::-1], keys[::-1], SEEDS)[::-1]
    assert np.array_equal(together, backwards)
    assert np.array_equal(together[4:5], corrupt(crops[4:5], keys[4:5], SEEDS))
    assert not np.array_equal(together, corrupt(crops, [(8, index) for index in range(12)], SEEDS))


def test_crops_that_are_left_alone_are_varied_as_without_it(crops: Pixels) -> None:
    keys = [(0, index) for index in range(12)]
    plain = Augmentation(AugmentConfig(randaugment=2), 32)(crops, keys, SEEDS)
    config = AugmentConfig(randaugment=2, robust=RobustConfig(noise=0.5))
    robust = Augmentation(config, 32)(crops, keys, SEEDS)
    same = (plain == robust).all(axis=(1, 2, 3))
    assert 2 < same.sum() < 10


def test_kinds_come_as_often_as_asked_in_their_order_and_not_too_many_at_once() -> None:
    keys = [(0, index) for index in range(4000)]
    drawn = robust_corruption.draw_kinds(RobustConfig(jpeg=0.2, darker=0.1, level=4), 5, keys)
    counts = {name: sum(name == kind for kinds in drawn for kind, _ in kinds) for name in ("jpeg", "darker", "blur")}
    assert counts["jpeg"] == pytest.approx(800, rel=0.15)
    assert counts["darker"] == pytest.approx(400, rel=0.2)
    assert counts["blur"] == 0
    assert {level for kinds in drawn for _, level in kinds} == {1, 2, 3, 4}
    many = robust_corruption.draw_kinds(EVERYTHING, 5, keys)
    assert max(map(len, many)) == 4
    order = list(EVERYTHING.probabilities)
    assert all(
        [order.index(name) for name, _ in kinds] == sorted(order.index(name) for name, _ in kinds) for kinds in many
    )


def test_only_known_objects_are_put_on_other_grounds(crops: Pixels, covers: Pixels) -> None:
    corrupt = RobustCorruption(RobustConfig(background=1.0, level=5), covers)
    made = corrupt(crops, [(0, index) for index in range(12)], SEEDS)
    changed = (made != crops).any(axis=(1, 2, 3))
    assert changed.tolist() == [index != 5 for index in range(12)]
    assert np.array_equal(made[:, 20, 20], crops[:, 20, 20])
    unlabelled = corrupt(crops[:1], [(0, 12)], SEEDS)  # their indices go on behind the labelled crops
    assert np.array_equal(unlabelled, crops[:1])
    assert np.array_equal(RobustCorruption(RobustConfig(background=1.0))(crops, [(0, 0)] * 12, SEEDS), crops)


def test_grounds_are_those_that_are_named_and_a_users_own(tmp_path: Path) -> None:
    Image.fromarray(np.full((60, 60, 3), (0, 0, 255), np.uint8)).save(tmp_path / "blue.png")
    known = grounds_of(RobustConfig(background=0.5, grounds=("belt",), textures=tmp_path))
    assert (len(known.photos), len(known.stock)) == (1, 12)
    drawn = [known.draw(np.random.default_rng(seed), 16, 16) for seed in range(30)]
    assert 5 < sum(bool((item[..., 0] == 0).all()) for item in drawn) < 25
    assert max(float(item.mean()) for item in drawn if item[..., 0].any()) < 0.45  # a belt is dark


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"level": 2}, "level has no effect without a kind's probability above 0"),
        ({"jpeg": 0.1, "textures": "floors"}, "textures has no effect without background probability above 0"),
        ({"jpeg": 0.1, "grounds": ["wood"]}, "grounds has no effect"),
        ({"background": 1.5}, "less than or equal to 1"),
        ({"fog": 0.5}, "Extra inputs are not permitted"),
        ({"background": 0.5, "grounds": ["lava"]}, "'tiles', 'concrete'"),
    ],
)
def test_what_has_no_effect_or_is_not_there_is_refused(given: dict[str, object], part: str) -> None:
    with pytest.raises(ValidationError, match=part):
        RobustConfig.model_validate(given)


def test_covers_are_found_once_and_laid_out_as_the_crops_are(tmp_path: Path) -> None:
    crops = []
    for kind in range(3):
        wide = np.full((64, 96, 3), 205, np.uint8)
        wide[12:52, 28:68] = np.repeat(np.repeat(photo(kind), 1, 0), 1, 1)
        Image.fromarray(wide).save(tmp_path / f"{kind}.png")
        crops.append(StressCrop(f"{kind}", tmp_path / f"{kind}.png", kind))
    preprocess, hashes = Preprocess(size=64, fit="pad"), ["a", "b", "c"]
    seen: list[int] = []
    found = load_covers(crops, hashes, preprocess, tmp_path / "cache", lambda done, total: seen.append(done))
    assert found.shape == (3, 32, 32)
    assert (found[:, 16, 16] == 255).all()  # the object
    assert (found[:, 16, 1] == 0).all()  # the board
    assert (found[:, 1, 16] == 255).all()  # the padding above
    again = load_covers(crops, hashes, preprocess, tmp_path / "cache", lambda done, total: seen.append(done))
    assert np.array_equal(found, again)
    assert seen == [1, 2, 3]
