"""Corrupt the crops of a batch, each by few kinds: which, and how much, its own random numbers say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from leansort.core.pixels import Image
from leansort.core.seeds import Seeds
from leansort.data.augmentation.per_sample_rng import Key, uniforms
from leansort.data.augmentation.robust.robust_config import RobustConfig
from leansort.measure.corruptions.arrays import to_pixels
from leansort.measure.corruptions.kinds import BACKGROUND, KINDS, Scene
from leansort.measure.corruptions.textures import DRAWN, Grounds
from leansort.measure.robustness.stress_crops import load_grounds

_DRAWN_EACH, _DRAWN_SIDE = 12, 256  # grounds of each kind that are drawn beforehand, and their size in pixels


class IndexedCovers(Protocol):
    """Where objects are, by the crop's index: uint8 (s, s), 255 where the object is, all 0 where that is not known."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Image: ...


@dataclass(frozen=True)
class RobustCorruption:
    """Corrupts crops as `config` says; holds no state, so any process gets the same.

    Attributes:
        config: the probabilities.
        covers: where the objects are; None where none is to be cut out.
    """

    config: RobustConfig
    covers: IndexedCovers | None = None

    def __call__(self, crops_bhwc: Image, keys: Sequence[Key], seeds: Seeds) -> Image:
        """Corrupt a batch of square crops.

        Args:
            crops_bhwc: uint8 (b, s, s, 3); stays as it is.
            keys: (epoch, index) of each; with `seeds` they alone decide what happens to a crop.
            seeds: the training's.
        """
        own = seeds.child("robust")
        made_bhwc = crops_bhwc.copy()
        for at, drawn in enumerate(draw_kinds(self.config, own.value, keys)):
            for name, level in drawn:
                made_bhwc[at] = self._corrupted(made_bhwc[at], name, level, keys[at], own)
        return made_bhwc

    def _corrupted(self, crop: Image, name: str, level: int, key: Key, seeds: Seeds) -> Image:
        scene = Scene(crop)
        if name == BACKGROUND:
            cover = self._cover(key[1], len(crop))
            if cover is None:
                return crop
            scene = Scene(crop, cover.astype(np.float32) / np.float32(255), grounds_of(self.config))
        made = KINDS[name].apply(scene, level, _generator(seeds.child(name).value, key))
        return made if made.shape == crop.shape else _squared(made, len(crop))

    def _cover(self, index: int, size: int) -> Image | None:
        """Where a crop's object is, (size, size); None where that is not known."""
        if self.covers is None or index >= len(self.covers):
            return None
        cover = np.asarray(self.covers[index])
        return cv2.resize(cover, (size, size)).astype(np.uint8, copy=False) if cover.any() else None


def _squared(image: Image, size: int) -> Image:
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def draw_kinds(config: RobustConfig, seed: int, keys: Sequence[Key]) -> list[list[tuple[str, int]]]:
    """Kinds and levels for each crop, in the order in which they are done; of too many those drawn most clearly."""
    names, chances = list(config.probabilities), np.array(list(config.probabilities.values()))
    u_bk = uniforms(seed, keys, 2 * len(names))
    which, levels = u_bk[:, : len(names)], 1 + (u_bk[:, len(names) :] * config.level).astype(np.int64)
    drawn = []
    for u, level in zip(which, levels.tolist(), strict=True):
        taken = np.flatnonzero(u < chances)
        kept = sorted(taken[np.argsort(u[taken] / chances[taken], kind="stable")][: config.most].tolist())
        drawn.append([(names[at], level[at]) for at in kept])
    return drawn


def _generator(seed: int, key: Key) -> np.random.Generator:
    """Random numbers of one crop in one epoch, as many as a kind wants."""
    epoch, index = key
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, index, epoch]))


def grounds_of(config: RobustConfig) -> Grounds:
    """The grounds of a section: a stock of drawn ones, and a user's own."""
    return Grounds(_own_grounds(config.textures) if config.textures else (), _stock(config.grounds))


@lru_cache(maxsize=4)
def _own_grounds(folder: Path) -> tuple[Image, ...]:
    return load_grounds(folder)[0]


@lru_cache(maxsize=4)
def _stock(names: tuple[str, ...]) -> tuple[Image, ...]:
    """Grounds drawn beforehand: drawing takes longer than all else that befalls a crop."""
    seeds = Seeds(0).child("augment/grounds")
    drawn = [(name, seeds.child(f"{name}/{number}").numpy()) for name in names for number in range(_DRAWN_EACH)]
    return tuple(to_pixels(DRAWN[name](rng, _DRAWN_SIDE, _DRAWN_SIDE)) for name, rng in drawn)
