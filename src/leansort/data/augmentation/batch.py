"""Vary a batch of crops: all of it drawn first, then pixels crop by crop, with as few passes as the draws allow.

A crop, its resize, flips and the geometric operators that come first are a single warp, so an image is interpolated
once; without such operators a plain resize does it. Differences from doing one after the other: that single
interpolation is sharper, and what one operator moves out of the image the next can bring back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leansort.core.seeds import Seeds
from leansort.data.augmentation.affine import (
    FILL,
    Affine,
    Pixels,
    compose,
    is_shift,
    resize_and_flip,
    resize_and_flip_map,
    skips_pixels,
    warp,
)
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.augmentation.draws import draw_augmentation
from leansort.data.augmentation.operators import apply_step, compile_steps
from leansort.data.augmentation.per_sample_rng import Key
from leansort.data.augmentation.robust.robust_corruption import IndexedCovers, RobustCorruption


@dataclass(frozen=True)
class Augmentation:
    """Varies crops as `config` says and makes them `size` pixels; holds no state, so any process gets the same.

    Attributes:
        config: what may happen to a crop.
        size: of the images made of them in pixels.
        covers: where the objects are, for those that are put on other grounds; see `RobustCorruption`.
    """

    config: AugmentConfig
    size: int
    covers: IndexedCovers | None = None

    def __call__(self, crops_bhwc: Pixels, keys: Sequence[Key], seeds: Seeds) -> Pixels:
        """Vary a batch.

        Args:
            crops_bhwc: uint8 (b, h, w, 3); stays as it is.
            keys: (epoch, index) of each; with `seeds` they alone decide what happens to a crop.
            seeds: the training's.

        Returns:
            uint8 (b, size, size, 3).
        """
        if self.config.robust.is_on:
            crops_bhwc = RobustCorruption(self.config.robust, self.covers)(crops_bhwc, keys, seeds)
        height, width = crops_bhwc.shape[1:3]
        draws = draw_augmentation(self.config, seeds.child("augment").value, keys, (height, width), self.size)
        made_bhwc = np.empty((len(keys), self.size, self.size, 3), np.uint8)
        per_crop = zip(draws.kept.tolist(), draws.flips.tolist(), draws.operators, draws.grey.tolist(), strict=True)
        for crop_hwc, made_hwc, (kept, flips, operators, grey) in zip(crops_bhwc, made_bhwc, per_crop, strict=True):
            top, left, height, width = kept
            made_hwc[:] = self._varied(crop_hwc[top : top + height, left : left + width], tuple(flips), operators)
            for top, left, height, width in grey:
                made_hwc[top : top + height, left : left + width] = FILL
        return made_bhwc

    def _varied(self, part: Pixels, flips: tuple[bool, bool], operators: Sequence[tuple[str, float]]) -> Pixels:
        """Resize the kept part of a crop, flip it and do the operators."""
        todo = compile_steps(operators, self.size)
        first = todo[0] if todo else None
        if isinstance(first, Affine) and not is_shift(first) and not skips_pixels(part, self.size):
            height, width = part.shape[:2]
            picture = warp(part, compose(resize_and_flip_map(height, width, flips, self.size), first), self.size)
            del todo[0]
        else:
            picture = resize_and_flip(part, flips, self.size)
        for step in todo:
            picture = apply_step(picture, step)
        return picture
