"""MixUp and CutMix: training on pairs of images, with a target shared between their classes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from leansort.data.augmentation.augment_config import AugmentConfig


def mix_batch(
    x_bchw: Tensor, target_b: Tensor, classes: int, config: AugmentConfig, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Mix each image of a batch with another one of it.

    Args:
        x_bchw: uint8 or float images; stay as they are.
        target_b: class indices.
        classes: number of classes.
        config: `mixup` and `cutmix` are the alphas of Beta(alpha, alpha), 0 for off; one of them is drawn a batch.
        generator: of this step alone, e.g. `seeds.child(f"mix/{epoch}/{step}").numpy()`, so that a resumed run goes on
            as an unbroken one.

    Returns:
        Images of the same shape and type, and float32 (b, classes) fractions that sum to 1, for `cross_entropy`.
    """
    soft_bc = one_hot(target_b, classes).float()
    ways = [way for way, alpha in ((_blended, config.mixup), (_pasted, config.cutmix)) if alpha]
    if not ways:
        return x_bchw, soft_bc
    way = ways[generator.integers(len(ways))]
    alpha = config.mixup if way is _blended else config.cutmix
    order = torch.from_numpy(generator.permutation(len(x_bchw))).to(x_bchw.device)
    x_bchw, fraction = way(x_bchw, x_bchw[order], float(generator.beta(alpha, alpha)), generator)
    return x_bchw, fraction * soft_bc + (1 - fraction) * soft_bc[order]


def mix_labelled(
    x_bchw: Tensor, target_b: Tensor, classes: int, config: AugmentConfig, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """As `mix_batch`, where crops without labels may follow the others, with a negative target: each kind by itself.

    Returns:
        All images, and the targets of those that have labels.
    """
    known = int((target_b >= 0).sum())
    mixed_bchw, soft_bc = mix_batch(x_bchw[:known], target_b[:known], classes, config, generator)
    if known == len(x_bchw):
        return mixed_bchw, soft_bc
    others_bchw, _ = mix_batch(x_bchw[known:], target_b[known:].clamp(min=0), classes, config, generator)
    return torch.cat([mixed_bchw, others_bchw]), soft_bc


def _blended(x_bchw: Tensor, other_bchw: Tensor, fraction: float, _: np.random.Generator) -> tuple[Tensor, float]:
    """MixUp (Zhang et al. 2018, arXiv:1710.09412): `fraction` of one image, the rest of the other."""
    if x_bchw.is_floating_point():
        return other_bchw.lerp(x_bchw, fraction), fraction
    return other_bchw.float().lerp(x_bchw.float(), fraction).round().to(x_bchw.dtype), fraction


def _pasted(x_bchw: Tensor, other_bchw: Tensor, fraction: float, rng: np.random.Generator) -> tuple[Tensor, float]:
    """CutMix (Yun et al. 2019, arXiv:1905.04899): a rectangle of the other image; returns the fraction left."""
    height, width = x_bchw.shape[2:]
    top, bottom = _span(height, fraction, rng)
    left, right = _span(width, fraction, rng)
    made = x_bchw.clone()
    made[:, :, top:bottom, left:right] = other_bchw[:, :, top:bottom, left:right]
    return made, 1 - (bottom - top) * (right - left) / (height * width)  # not `fraction`: the frame may cut the box


def _span(length: int, fraction: float, rng: np.random.Generator) -> tuple[int, int]:
    """Start and end of the box along one side: sqrt(1 - fraction) of it, around any pixel, within the frame."""
    half = int(length * (1 - fraction) ** 0.5) // 2
    middle = int(rng.integers(length))
    return max(middle - half, 0), min(middle + half, length)
