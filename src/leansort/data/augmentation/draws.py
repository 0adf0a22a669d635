"""Everything random about a batch's crops, drawn before the first pixel is touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.augmentation.boxes import NUMBERS, Boxes, cutout_boxes, erasing_boxes, resized_crop_boxes
from leansort.data.augmentation.operators import LEVELS, SIGNED, strengths
from leansort.data.augmentation.per_sample_rng import Key, Uniforms, uniforms

# Columns of the uniform numbers. All are drawn, used or not: turning one thing on leaves the others as they were.
_KEPT, _FLIPS, _ROTATION = slice(0, NUMBERS), slice(NUMBERS, NUMBERS + 2), slice(NUMBERS + 2, NUMBERS + 3)
_CUTOUT, _ERASED = slice(NUMBERS + 3, NUMBERS + 5), slice(NUMBERS + 5, 2 * NUMBERS + 6)
_OPERATORS = 2 * NUMBERS + 6  # from here on three for each: which, how strong, which way


@dataclass(frozen=True)
class AugmentationDraws:
    """What is to be done to b crops.

    Attributes:
        kept: (b, 4) box of the crop that is resized to the image.
        flips: (b, 2) left-right, up-down.
        operators: for each crop names and signed strengths, in order; a rotation is the first of them.
        grey: (b, 2, 4) boxes of the image that are greyed out in the end.
    """

    kept: Boxes
    flips: npt.NDArray[np.bool_]
    operators: list[list[tuple[str, float]]]
    grey: Boxes


def draw_augmentation(
    config: AugmentConfig, seed: int, keys: Sequence[Key], frame: tuple[int, int], size: int
) -> AugmentationDraws:
    """Draw for a batch.

    Args:
        config: what may happen to a crop.
        seed: of the whole training.
        keys: (epoch, index) of b crops; a crop's draws depend on `config`, `seed` and its key alone.
        frame: height and width of the crops in pixels.
        size: of the images made of them in pixels.
    """
    count = 1 if config.trivial else config.randaugment
    u_bk = uniforms(seed, keys, _OPERATORS + 3 * count)
    cutout = cutout_boxes(u_bk[:, _CUTOUT], size, config.cutout)
    erased = erasing_boxes(u_bk[:, _ERASED], size, config.erase)
    return AugmentationDraws(
        resized_crop_boxes(u_bk[:, _KEPT], *frame, config.min_scale, config.ratio),
        u_bk[:, _FLIPS] < (config.flip_horizontal, config.flip_vertical),
        _operators(config, u_bk, size),
        np.stack([cutout, erased], 1),
    )


def _operators(config: AugmentConfig, u_bk: Uniforms, size: int) -> list[list[tuple[str, float]]]:
    names = config.operators
    which, level, way = (u_bk[:, _OPERATORS + first :: 3] for first in range(3))
    which = (which * len(names)).astype(np.int64)
    levels = (level * LEVELS).astype(np.int64) if config.trivial else np.full_like(which, config.magnitude)
    signed = np.array([name in SIGNED for name in names])
    values = strengths(names, size, config.trivial)[which, levels] * np.where(signed[which] & (way < 0.5), -1, 1)
    turns = [[("Rotate", turn)] if config.rotation else [] for turn in _turns(config, u_bk)]
    rows = zip(turns, which.tolist(), values.tolist(), strict=True)
    return [turn + [(names[n], value) for n, value in zip(ns, row, strict=True)] for turn, ns, row in rows]


def _turns(config: AugmentConfig, u_bk: Uniforms) -> list[float]:
    degrees: list[float] = ((2 * u_bk[:, _ROTATION][:, 0] - 1) * config.rotation).tolist()
    return degrees
