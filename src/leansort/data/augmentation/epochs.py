"""Augmentation over the epochs of a training: how large crops are, and whether their ways of being varied come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leansort.core.seeds import Seeds
from leansort.data.augmentation.affine import Pixels
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.augmentation.batch import Augmentation
from leansort.data.augmentation.per_sample_rng import Key
from leansort.data.augmentation.robust.robust_corruption import IndexedCovers


@dataclass(frozen=True)
class EpochAugmentation:
    """Varies crops as `config` says, at each epoch's size.

    Attributes:
        config: with `views`, epochs repeat in the ways crops are varied.
        sizes: side in pixels of the crops of each epoch.
        covers: where the objects are, for those that are put on other grounds; see `RobustCorruption`.
    """

    config: AugmentConfig
    sizes: tuple[int, ...]
    covers: IndexedCovers | None = None

    def __call__(self, crops_bhwc: Pixels, keys: Sequence[Key], seeds: Seeds) -> Pixels:
        """See `Augmentation`; all crops of a batch are of one epoch."""
        views = self.config.views
        names = [(epoch % views, index) for epoch, index in keys] if views else keys
        return Augmentation(self.config, self.sizes[keys[0][0]], self.covers)(crops_bhwc, names, seeds)
