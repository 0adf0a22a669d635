"""Names for the views of a training's crops, and the same views at the size of a teacher."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from leansort.data.augmentation.batch import Augmentation
from leansort.data.loading.loader import AugmentedCrops
from leansort.train.distillation.teacher_loss import Distillation, Teacher
from leansort.train.distillation.teacher_outputs import Key, TeacherOutputs
from leansort.train.job import TrainingJob


class NamedViews:
    """The crops of a training in all ways that they are varied.

    Args:
        job: the training.
        dataset: its crops.
    """

    def __init__(self, job: TrainingJob, dataset: AugmentedCrops) -> None:
        self.job, self.dataset = job, dataset

    def names(self, keys: Sequence[Key], epoch: int) -> list[Key]:
        """A name for each crop and the way it is varied in an epoch: size, number of the way, crop."""
        views = self.job.augment.views
        return [(self.job.size(epoch), number % views if views else number, index) for number, index in keys]

    def __call__(self, names: Sequence[Key], size: int) -> Tensor:
        """Crops by name at another size, uint8 (b, 3, size, size).

        They are cut out of the cached crops, which are larger than the student's input (`train.enlarge`): a teacher
        that takes more pixels sees more of the same view.
        """
        keys = [(number, index) for _, number, index in names]
        block_bhwc = self.dataset.block([index for _, index in keys])
        varied_bhwc = Augmentation(self.job.augment, size, self.job.covers)(block_bhwc, keys, self.dataset.seeds)
        return torch.from_numpy(varied_bhwc).permute(0, 3, 1, 2)

    def distillation(self, teachers: Sequence[Teacher]) -> Distillation:
        """What the training learns from teachers; their outputs are kept where crops come back."""
        job = self.job
        crops = len(self.dataset) + (0 if job.unlabelled is None else len(job.unlabelled))
        sizes = {job.size(epoch) for epoch in range(job.config.epochs)}
        mixes = bool(job.augment.mixup or job.augment.cutmix)
        views = 0 if mixes else job.augment.views * len(sizes)
        views = min(views, job.config.epochs) if job.unlabelled is None else views
        return Distillation(teachers, job.distill, TeacherOutputs(crops, views, job.distill.memory_mb), self)
