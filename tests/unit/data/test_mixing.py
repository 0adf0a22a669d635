"""MixUp and CutMix: what is mixed is what the target says, and it depends on the step's generator alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy

from leansort.core.seeds import Seeds
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.augmentation.mixing import mix_batch

CLASSES = 6
TARGET = torch.tensor([0, 1, 2, 3, 4, 5, 0, 1])
MIXUP, CUTMIX, BOTH = AugmentConfig(mixup=0.4), AugmentConfig(cutmix=1.0), AugmentConfig(mixup=0.4, cutmix=1.0)


def flat() -> Tensor:
    """Picture number i is of level 20 i + 10 all over, so that a pixel tells where it is from."""
    return (torch.arange(8) * 20 + 10).to(torch.uint8).view(8, 1, 1, 1).expand(8, 3, 20, 30).contiguous()


def generator(step: int) -> np.random.Generator:
    return Seeds(3).child(f"mix/0/{step}").numpy()


@pytest.mark.parametrize("config", [AugmentConfig(), MIXUP, CUTMIX, BOTH])
@given(step=st.integers(0, 500))
def test_targets_sum_to_one_and_the_batch_keeps_shape_type_and_place(config: AugmentConfig, step: int) -> None:
    for x_bchw in (flat(), flat().float().contiguous(memory_format=torch.channels_last)):
        before = x_bchw.clone()
        made, soft_bc = mix_batch(x_bchw, TARGET, CLASSES, config, generator(step))
        assert torch.equal(x_bchw, before)
        assert (made.shape, made.dtype) == (x_bchw.shape, x_bchw.dtype)
        assert soft_bc.shape == (8, CLASSES)
        assert soft_bc.min() >= 0
        assert torch.allclose(soft_bc.sum(1), torch.ones(8))
        again, soft_again = mix_batch(x_bchw, TARGET, CLASSES, config, generator(step))
        assert torch.equal(made, again)
        assert torch.equal(soft_bc, soft_again)


@pytest.mark.parametrize("step", range(20))
def test_the_pasted_area_is_the_share_of_the_other_class(step: int) -> None:
    made, soft_bc = mix_batch(flat(), TARGET, CLASSES, CUTMIX, generator(step))
    for number, picture in enumerate(made):
        own = picture == 20 * number + 10
        others = picture[~own].unique()
        assert len(others) <= 1
        rows, columns = (~own[0]).any(1).sum(), (~own[0]).any(0).sum()
        assert rows * columns == (~own[0]).sum()  # one rectangle, the same in every channel
        expected = torch.zeros(CLASSES)
        expected[TARGET[number]] += own.float().mean()
        if len(others):
            expected[TARGET[(int(others) - 10) // 20]] += 1 - own.float().mean()
        assert torch.allclose(soft_bc[number], expected, atol=1e-6)


@pytest.mark.parametrize("step", range(20))
def test_levels_are_blended_as_the_targets_are(step: int) -> None:
    levels = torch.arange(6).float()  # classes and levels alike, so that a blend's level is the mean of its target
    x_bchw = levels.view(6, 1, 1, 1).expand(6, 3, 4, 4)
    made, soft_bc = mix_batch(x_bchw, levels.long(), CLASSES, MIXUP, generator(step))
    assert torch.allclose(made[:, 0, 0, 0], soft_bc @ levels, atol=1e-5)
    assert torch.allclose(made.mean((1, 2, 3)), made[:, 0, 0, 0], atol=1e-5)


def test_bytes_are_blended_as_floats_are() -> None:
    made, _ = mix_batch(flat(), TARGET, CLASSES, MIXUP, generator(4))
    precise, _ = mix_batch(flat().float(), TARGET, CLASSES, MIXUP, generator(4))
    assert (made.float() - precise).abs().max() <= 0.5


def test_shares_are_betas_and_both_ways_are_taken_equally_often() -> None:
    blend, either = AugmentConfig(mixup=5.0), AugmentConfig(mixup=5.0, cutmix=5.0)
    x_bchw = flat()[..., :4, :4]
    shares = [float(mix_batch(x_bchw, TARGET, CLASSES, blend, generator(step))[1][2, 2]) for step in range(400)]
    mixed_ones = [share for share in shares if share < 1]  # by chance a picture meets itself
    assert len(mixed_ones) == pytest.approx(400 * 7 / 8, abs=25)
    assert np.mean(mixed_ones) == pytest.approx(0.5, abs=0.03)
    assert np.std(mixed_ones) == pytest.approx((1 / 44) ** 0.5, abs=0.02)  # of Beta(5, 5)
    made = [mix_batch(x_bchw, TARGET, CLASSES, either, generator(step))[0] for step in range(400)]
    assert np.mean([not torch.isin(item, x_bchw).all() for item in made]) == pytest.approx(0.5, abs=0.08)


def test_the_loss_takes_them_and_off_is_the_loss_of_the_indices() -> None:
    out = torch.randn(8, CLASSES, generator=torch.Generator().manual_seed(0))
    weight = torch.linspace(0.5, 2, CLASSES)
    _, soft_bc = mix_batch(flat(), TARGET, CLASSES, AugmentConfig(), generator(0))
    assert torch.allclose(cross_entropy(out, soft_bc), cross_entropy(out, TARGET))
    assert cross_entropy(out, soft_bc, weight=weight, label_smoothing=0.1).isfinite()
