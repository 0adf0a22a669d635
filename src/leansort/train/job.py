"""What a training is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from leansort.arch.spec.spec import ArchSpec
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.loading.crops import Crops
from leansort.data.loading.loader import Pixels
from leansort.data.loading.unlabelled_order import UnlabelledOrder
from leansort.train.train_config import DistillConfig, TrainConfig


@dataclass(frozen=True)
class TrainingJob:
    """All that decides the outcome of a training.

    Attributes:
        spec: the architecture.
        preprocess: of the evaluation; training crops are larger by `config.enlarge`.
        labels: the classes.
        train: training crops.
        val: crops that choose the best epoch.
        config: how to train.
        augment: how to vary the training crops.
        seeds: where all randomness comes from.
        provenance: kept in the trained model; its digest guards `resume`.
        distill: what to learn from teachers; its `teachers` are for the record, the loop is handed them.
        unlabelled: crops of photos without labels, as large as those of `train`, that teachers speak about alone.
        covers: where the objects of the training crops are, for those that are put on other grounds.
    """

    spec: ArchSpec
    preprocess: Preprocess
    labels: LabelSet
    train: Crops
    val: Crops
    config: TrainConfig
    augment: AugmentConfig
    seeds: Seeds
    provenance: dict[str, Any]
    distill: DistillConfig = field(default_factory=DistillConfig)
    unlabelled: Pixels | None = None
    covers: Pixels | None = None

    @property
    def identity(self) -> str:
        """Digest of everything that must be equal for a resumed run to end as an unbroken one."""
        parts = [self.spec, self.preprocess, self.config.model_copy(update={"workers": 0}), self.augment, self.distill]
        names = ("data", "seed", "begun_with", "teachers", "unlabelled", "grounds")
        data = {name: self.provenance.get(name) for name in names}
        return atomic_io.digest([[part.model_dump(mode="json") for part in parts], data, list(self.labels.names)])

    @property
    def counts(self) -> list[int]:
        """Training crops of each class."""
        counted: list[int] = np.bincount(self.train.labels, minlength=len(self.labels)).tolist()
        return counted

    @property
    def unlabelled_order(self) -> UnlabelledOrder | None:
        """Which crops without labels each batch gets; None where there are none."""
        if self.unlabelled is None:
            return None
        ratio, seeds = self.distill.unlabelled_ratio, self.seeds.child("train")
        return UnlabelledOrder(len(self.unlabelled), ratio, len(self.train.labels), seeds)

    def size(self, epoch: int) -> int:
        """Side of the training crops in an epoch, from 0: grows in steps of 32 pixels over three quarters of them."""
        whole, config = self.preprocess.size, self.config
        grown = max(1.0, 0.75 * config.epochs)
        if config.grow_from == 1.0 or epoch >= grown:
            return whole
        fraction = config.grow_from + (1 - config.grow_from) * epoch / grown
        return min(whole, max(32, 32 * round(fraction * whole / 32)))

    def steps(self, batches: int) -> int:
        """Optimizer steps of an epoch of so many batches."""
        return -(-batches // self.config.accumulate)

    @property
    def first_equal_epoch(self) -> int:
        """The epoch, from 0, with which the equal mean of the weights begins; as many as there are: with none."""
        if self.config.average_from == 1.0:
            return self.config.epochs
        return min(int(self.config.average_from * self.config.epochs + 1e-9), self.config.epochs - 1)

    def first_equal_step(self, batches: int) -> int | None:
        """The first step of the equal mean, from 0, where an epoch has so many batches; None: there is no such mean."""
        first = self.first_equal_epoch
        return first * self.steps(batches) if first < self.config.epochs else None
