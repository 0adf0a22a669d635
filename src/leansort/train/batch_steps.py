"""One batch of a training: forward, backward and, where an accumulated step ends, the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from lightning_fabric.wrappers import _FabricModule, _FabricOptimizer
from torch import Tensor

from leansort.arch.trained_model import normalize
from leansort.core.seeds import Seeds
from leansort.data.augmentation.mixing import mix_labelled
from leansort.data.loading.loader import UNLABELLED, EpochSampler
from leansort.train.distillation.named_views import NamedViews
from leansort.train.distillation.teacher_loss import Distillation, Student
from leansort.train.distillation.teacher_outputs import Key
from leansort.train.hardware.device import Fabric
from leansort.train.job import TrainingJob
from leansort.train.optimization.losses import TrainingLoss
from leansort.train.optimization.schedules import learning_rate
from leansort.train.optimization.weight_average import WeightAverage


@dataclass(frozen=True)
class BatchSteps:
    """Trains on one batch after the other.

    Attributes:
        job: what is trained on what.
        fabric: where.
        student: the network, and what is trained beside it.
        model: the same as the processes share it.
        optimizer: of its weights.
        ema: their average.
        objective: the loss on labels.
        distillation: the teachers, where there are any.
        views: names the crops of a batch for the teachers.
        sampler: knows the sizes of all batches.
        heads: `id` of each of the classifier's weights.
    """

    job: TrainingJob
    fabric: Fabric
    student: Student
    model: _FabricModule
    optimizer: _FabricOptimizer
    ema: WeightAverage
    objective: TrainingLoss
    distillation: Distillation | None
    views: NamedViews
    sampler: EpochSampler
    heads: frozenset[int]

    def take(self, x_bchw: Tensor, target: Tensor, keys: Sequence[Key], epoch: int, index: int) -> Tensor:
        """Train on a batch; returns its mean loss."""
        torch.manual_seed(self._seeds(f"train/{epoch}/{index}").value)  # dropout
        x_bchw, target = x_bchw.to(self.fabric.device), target.to(self.fabric.device)
        mixes = bool(self.job.augment.mixup or self.job.augment.cutmix)
        if mixes:
            drawn = self._seeds(f"mix/{epoch}/{index}").numpy()
            x_bchw, target = mix_labelled(x_bchw, target, len(self.job.labels), self.job.augment, drawn)
        elif self.job.unlabelled is not None:
            target = target[target != UNLABELLED]
        with self.fabric.no_backward_sync(self.model, enabled=not self.ends(index)):
            loss = self._loss(x_bchw, target, None if mixes else self.views.names(keys, epoch))
            self.fabric.backward(loss * self._share(len(keys), index))
        if self.ends(index):
            self._update(epoch, index)
        return loss.detach()

    def _loss(self, x_bchw: Tensor, target: Tensor, names: Sequence[Key] | None) -> Tensor:
        """The mean loss of a batch; crops without labels, which come last, learn from teachers alone."""
        given, theirs = normalize(x_bchw, self.job.preprocess), list[Tensor]()
        if self.distillation is None:
            return self.objective(self.model(given)[0], target)
        soft_bc, theirs = self.distillation.targets(x_bchw, names)
        logits_bc, hint = self.model(given, theirs if self.job.distill.hints else ())
        loss, weight = self._label_loss(logits_bc, target), self.job.distill.weight
        if soft_bc is not None:
            loss = (1 - weight) * loss + weight * self.distillation.loss(logits_bc, soft_bc)
        return loss if hint is None else loss + self.job.distill.hints * hint

    def _label_loss(self, logits_bc: Tensor, target: Tensor) -> Tensor:
        """The mean loss on the labels, as it is without crops that have none.

        Not of this batch's own mixture of both kinds, which rounding moves, but of all crops': a batch counts the same
        whether it is taken whole, in parts (`accumulate`) or by several processes.
        """
        known = len(target)
        loss = self.objective(logits_bc[:known], target)
        if self.job.unlabelled is None:
            return loss
        return loss * ((1 + self.job.distill.unlabelled_ratio) * known / len(logits_bc))

    def _update(self, epoch: int, index: int) -> None:
        lr = self.lr(epoch, index)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["lr_scale"]
        if epoch < self.job.config.freeze:
            for parameter in self.student.parameters():
                parameter.grad = parameter.grad if id(parameter) in self.heads else None
        if self.job.config.clip:
            self.fabric.clip_gradients(
                self.model, self.optimizer, max_norm=self.job.config.clip, error_if_nonfinite=False
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.update(self.student.network, self._step(epoch, index))

    def ends(self, index: int) -> bool:
        """Whether a batch is the last of an optimizer step."""
        return (index + 1) % self.job.config.accumulate == 0 or index + 1 == len(self.sampler)

    def lr(self, epoch: int, index: int) -> float:
        """The learning rate of the step that a batch belongs to, before any factor of a depth."""
        return learning_rate(self._step(epoch, index), self.job.steps(len(self.sampler)), self.job.config)

    def _step(self, epoch: int, index: int) -> int:
        """The number of the step that a batch belongs to, from 0."""
        return epoch * self.job.steps(len(self.sampler)) + index // self.job.config.accumulate

    def _share(self, crops: int, index: int) -> float:
        """What a batch's mean counts: its share of the crops, over all processes and batches, that make one step."""
        start = index - index % self.job.config.accumulate
        return crops * self.fabric.world_size / sum(self.sampler.sizes[start : start + self.job.config.accumulate])

    def _seeds(self, name: str) -> Seeds:
        """Every process has its own, the first those of a run of one process."""
        rank = self.fabric.global_rank
        return self.job.seeds.child(f"{name}/rank-{rank}" if rank else name)
