"""Stress in one number: the settings that are refused, the mean over the kinds, and the paired drop of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from leansort.measure.accuracy.metrics import macro_f1_present
from leansort.measure.corruptions.kinds import KINDS
from leansort.measure.robustness.stress_setting import StressSetting
from leansort.measure.robustness.stressed_crops import StressedCrops, StressFacts
from leansort.measure.robustness.stressed_score import score_under_stress, stressed_drop

CLASSES = 3


def stressed(*kinds: str, count: int = 60, missing: int = 0) -> StressedCrops:
    """Crops without pixels; the last kind lacks the first `missing` of them."""
    labels = np.arange(count) % CLASSES
    there = np.ones((len(kinds), count), np.bool_)
    there[-1, :missing] = False
    facts = StressFacts(kinds, 3, count, 0, "digest")
    return StressedCrops(facts, np.zeros((len(kinds) * count, 2, 2, 3), np.uint8), labels, there)


def answers(crops: StressedCrops, *errors: float) -> npt.NDArray[np.int64]:
    """Predictions that are wrong of a fraction of the crops, by kind."""
    rng = np.random.default_rng(0)
    rows = [
        np.where(rng.random(len(crops.label_n)) < error, (crops.label_n + 1) % CLASSES, crops.label_n)
        for error in errors
    ]
    return np.stack(rows)


def test_the_mean_is_over_the_kinds_and_lies_within_its_interval() -> None:
    crops = stressed("darker", "noise")
    given = answers(crops, 0.1, 0.5)
    score = score_under_stress(crops, given, CLASSES)
    own = [macro_f1_present(crops.label_n, row, CLASSES) for row in given]
    assert list(score.kinds.values()) == own
    assert score.macro_f1.value == pytest.approx(np.mean(own))
    assert score.macro_f1.low < score.macro_f1.value < score.macro_f1.high


def test_crops_that_could_not_be_made_count_in_no_kind() -> None:
    crops = stressed("darker", "background", missing=30)
    given = answers(crops, 0.0, 0.3)
    given[1, :30] = 99 % CLASSES  # what a network says of black pixels
    score = score_under_stress(crops, given, CLASSES)
    assert score.kinds["background"] == macro_f1_present(crops.label_n[30:], given[1, 30:], CLASSES)
    given[1, :30] = 2
    assert score_under_stress(crops, given, CLASSES) == score


def test_no_answer_is_a_wrong_one() -> None:
    crops = stressed("darker")
    none = np.full((1, 60), -1)
    assert score_under_stress(crops, none, CLASSES).macro_f1.value == 0.0
    assert stressed_drop(crops, crops.label_n[None], none, CLASSES).value == 1.0


def test_a_photo_is_one_sample_whatever_the_number_of_its_corruptions() -> None:
    """Ten equal kinds tell no more than one: the interval does not narrow."""
    one, ten = stressed("darker"), stressed(*list(KINDS)[:10])
    single = score_under_stress(one, answers(one, 0.3), CLASSES)
    many = score_under_stress(ten, np.repeat(answers(one, 0.3), 10, axis=0), CLASSES)
    assert (many.macro_f1.low, many.macro_f1.high) == pytest.approx((single.macro_f1.low, single.macro_f1.high))


def test_a_drop_is_paired() -> None:
    crops = stressed("darker", "noise")
    before = answers(crops, 0.2, 0.4)
    same = stressed_drop(crops, before, before, CLASSES)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    after = before.copy()
    after[1, :12] = (crops.label_n[:12] + 1) % CLASSES
    drop = stressed_drop(crops, before, after, CLASSES)
    assert drop.value > 0
    assert drop.low >= 0.0  # no resample gains where every crop is as right as before or less
    values = [score_under_stress(crops, given, CLASSES).macro_f1.value for given in (before, after)]
    assert drop.value == pytest.approx(values[0] - values[1])


def test_what_few_right_answers_cannot_show_is_in_the_interval() -> None:
    crops = stressed("darker", count=9)
    score = score_under_stress(crops, crops.label_n[None], CLASSES)
    assert score.macro_f1.value == 1.0
    assert score.macro_f1.low < 0.9


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"kinds": ["dakrer"]}, "did you mean 'darker'"),
        ({"kinds": ["noise", "noise"]}, "a kind is there twice"),
        ({"level": 0}, "greater than or equal to 1"),
        ({"level": 6}, "less than or equal to 5"),
        ({"crops": 0}, "greater than or equal to 1"),
        ({"kinds": ["noise"], "textures": "folder"}, "textures has no effect without the kind 'background'"),
        ({"kinds": ["noise"], "annotations": ["a.json"]}, "annotations has no effect without the kind"),
        ({"levels": 3}, "Extra inputs"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(ValidationError, match=part):
        StressSetting.model_validate(settings)


def test_kinds_are_told_in_their_own_order() -> None:
    assert StressSetting(kinds=("noise", "darker")).all_kinds == ("darker", "noise")
    assert StressSetting().all_kinds == tuple(KINDS)
    assert StressSetting(textures=Path("grounds")).textures == Path("grounds")
