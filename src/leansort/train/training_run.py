"""The moving parts of one training, and an epoch of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.trained_model import normalize
from leansort.core.errors import LeansortError, UserError
from leansort.core.process.console import say
from leansort.core.run_folder import TrainingFolder
from leansort.data.augmentation.epochs import EpochAugmentation
from leansort.data.loading.class_balance import class_weights
from leansort.data.loading.loader import AugmentedCrops, train_loader
from leansort.train import checkpoint
from leansort.train.batch_steps import BatchSteps
from leansort.train.callbacks import EpochRecord, TrainingCallback, TrainingStep
from leansort.train.checkpoint import TrainingProgress, TrainingState
from leansort.train.distillation.named_views import NamedViews
from leansort.train.distillation.teacher_loss import Student, Teacher
from leansort.train.distillation.teacher_outputs import Key
from leansort.train.finetuning import frozen_layers, layer_depths, norm_statistics
from leansort.train.hardware import compile_choice
from leansort.train.hardware.batch_norm_sync import synchronize_batch_norms
from leansort.train.hardware.device import Fabric, scaler
from leansort.train.interrupt import StopRequest
from leansort.train.job import TrainingJob
from leansort.train.optimization.losses import TrainingLoss
from leansort.train.optimization.optim import build_optimizer
from leansort.train.optimization.weight_average import WeightAverage
from leansort.train.train_config import NO_TEACHER
from leansort.train.validation import evaluate, evaluate_flipped

STATISTICS = 512  # crops that batch norms of averaged weights are given; each has hundreds of places


class TrainingRun:
    """A training between two epochs.

    Args:
        job: what to train on what.
        fabric: where.
        network: what to begin with; changed in place.
        teachers: to learn from.

    Raises:
        UserError: an option of the job does not fit the network or the device.
    """

    def __init__(self, job: TrainingJob, fabric: Fabric, network: nn.Module, teachers: Sequence[Teacher]) -> None:
        self.job, self.fabric, self.network = job, fabric, network
        widths = [teacher.width for teacher in teachers if teacher.width] if job.distill.hints else []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(job.seeds.child("train/hints").value)
            self.student = Student(network, widths, len(job.labels))
        heads = _heads(network, job)
        seeds = job.seeds.child("train")
        if job.unlabelled is not None and not teachers:
            raise UserError(f"distill.unlabelled: {NO_TEACHER}")
        self.dataset = AugmentedCrops(job.train.pixels, job.train.labels, _augmentation(job), seeds, job.unlabelled)
        views = NamedViews(job, self.dataset)
        self.distillation = views.distillation(teachers) if teachers else None
        self.loader, self.sampler = train_loader(
            self.dataset,
            job.config.batch,
            job.config.workers,
            seeds,
            _draw_weights(job),
            rank=fabric.global_rank,
            ranks=fabric.world_size,
            unlabelled=job.unlabelled_order,
        )
        self.ema = WeightAverage(network.to(fabric.device), job.config.ema, job.first_equal_step(len(self.sampler)))
        if job.config.sync_norms and fabric.world_size > 1:
            self.student = synchronize_batch_norms(self.student, fabric.device)
        optimizer = build_optimizer(self.student, job.config, _scales(network, heads, job))
        model, self.optimizer = fabric.setup(self.student, optimizer)
        self.objective = TrainingLoss(job.config, job.counts, fabric.device)
        self.steps = BatchSteps(
            job=job,
            fabric=fabric,
            student=self.student,
            model=model,
            optimizer=self.optimizer,
            ema=self.ema,
            objective=self.objective,
            distillation=self.distillation,
            views=views,
            sampler=self.sampler,
            heads=frozenset(id(weight) for head in heads for weight in head.parameters()),
        )

    @property
    def state(self) -> TrainingState:
        """The tensors of a checkpoint: network, averaged weights, optimizer."""
        return TrainingState(self.student, self.ema, self.optimizer.optimizer)

    def keep_teacher_outputs(self, folder: TrainingFolder, progress: TrainingProgress) -> None:
        """Write what teachers gave since the last checkpoint; before the next one, which counts on it."""
        if self.distillation and self.distillation.outputs:
            path = folder.teacher_output(progress.epoch, progress.batch, self.fabric.global_rank)
            self.distillation.outputs.save(path, self.job.identity, progress.epoch, progress.batch)
            self.fabric.barrier()

    def resume(self, folder: TrainingFolder) -> TrainingProgress:
        """Load a checkpoint, where there is one, and return where training stands."""
        progress = checkpoint.resume(folder.checkpoint, self.state, self.job.identity, self.fabric.world_size)
        if self.distillation and self.distillation.outputs:
            kept = folder.kept_teacher_outputs(self.fabric.global_rank)
            self.distillation.outputs.load(kept, self.job.identity, progress.epoch, progress.batch)
        scales = scaler(self.fabric)
        if progress.scaler and scales:  # a device that does bf16 may go on with what one of fp16 began
            scales.load_state_dict(progress.scaler)
        return progress

    def compile(self, progress: TrainingProgress) -> None:
        """Compile the network if it is to be; a resumed run keeps to what was decided at its start."""
        if progress.compiled is None:
            progress.compiled = self.fabric.broadcast(self._compiles())
        if progress.compiled:
            self.network.compile()

    def epoch(self, progress: TrainingProgress, stop: StopRequest, followers: TrainingCallback) -> EpochRecord:
        """Train an epoch from where `progress` stands; stops early, with `progress` up to date, once `stop` is set."""
        number, started = progress.epoch, time.perf_counter()
        order = self.sampler.begin(number, progress.batch)
        batches, waited, seen, text = iter(self.loader), 0.0, 0, started
        before = sum(len(keys) for keys in order[: progress.batch])
        self.freeze(number)
        summed = progress.losses[self.fabric.global_rank] if progress.losses else 0.0
        total = torch.tensor(summed, device=self.fabric.device)
        for keys in order[progress.batch :]:
            asked = time.perf_counter()
            x_bchw, target = next(batches)
            waited += time.perf_counter() - asked
            total += len(keys) * self.steps.take(x_bchw, target, keys, number, progress.batch)
            progress.batch, seen = progress.batch + 1, seen + len(keys)
            if time.perf_counter() - text > 0.5:
                text, mean = time.perf_counter(), self._number(total, number) / (before + seen)
                followers.on_step(TrainingStep(number + 1, progress.batch, len(self.sampler), mean))
            if self.steps.ends(progress.batch - 1) and self.any_is_told(stop):
                progress.losses, progress.scaler = self._losses(total, number), self._scaler()
                return {}
        next(batches, None)  # lets the loader's workers end the epoch
        trained = time.perf_counter() - started
        progress.scaler = self._scaler()
        return {
            "epoch": number + 1,
            "loss": sum(self._losses(total, number)) / sum(self.sampler.sizes),
            "lr": self.steps.lr(number, len(self.sampler) - 1),
            **self._scores(number, order),
            "images_per_s": seen * self.fabric.world_size / trained,
            "waited": waited / trained,
            "seconds": time.perf_counter() - started,
        }

    def freeze(self, epoch: int) -> None:
        """Set modes, and which weights get gradients, for an epoch, counted from 0.

        Of several processes, which swap all gradients, each computes all of them.
        """
        frozen = epoch < self.job.config.freeze
        frozen_layers.set_modes(self.student, frozen=frozen, freeze_norms=self.job.config.freeze_norms)
        if self.fabric.world_size == 1:
            frozen_layers.freeze_all_but(self.student, self.steps.heads, frozen=frozen)

    def any_is_told(self, stop: StopRequest) -> bool:
        """Whether any process is to stop. All learn of it in the same step: one that went on would wait for ever."""
        if self.fabric.world_size == 1:
            return bool(stop)
        told: Any = self.fabric.all_reduce(torch.tensor(float(bool(stop)), device=self.fabric.device), reduce_op="sum")
        return bool(told)

    def _losses(self, total: Tensor, epoch: int) -> list[float]:
        """Each process's sum."""
        own = torch.zeros(self.fabric.world_size, device=self.fabric.device)
        own[self.fabric.global_rank] = total
        every: Any = self.fabric.all_reduce(own, reduce_op="sum")
        return [self._number(item, epoch) for item in every]

    def _number(self, total: Tensor, epoch: int) -> float:
        if not torch.isfinite(total):
            lr = self.job.config.lr
            raise LeansortError(f"training diverged in epoch {epoch + 1}, loss {total}; lower train.lr, now {lr:g}")
        return float(total)

    def _scores(self, epoch: int, order: Sequence[Sequence[Key]]) -> dict[str, float]:
        scores = {}
        if self.fabric.is_global_zero:
            if epoch >= self.job.first_equal_epoch and not self.job.config.freeze_norms:
                norm_statistics.recompute_statistics(self.ema.average, self._normalized(order))
            scores["val_macro_f1"] = evaluate(self.ema.average, self.job)
            if self.job.config.tta:
                scores["val_macro_f1_tta"] = evaluate_flipped(self.ema.average, self.job)
        given: dict[str, float] = self.fabric.broadcast(scores)
        return given

    def _normalized(self, order: Sequence[Sequence[Key]]) -> Iterable[Tensor]:
        """The first batches of an epoch again, as the network is given them, (b, 3, h, w)."""
        for keys in order[: -(-STATISTICS // self.job.config.batch)]:
            yield self._batch(keys)[0]

    def _batch(self, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
        x_bchw, target = self.dataset.__getitems__([(epoch, index) for epoch, index in keys])
        return normalize(x_bchw.to(self.fabric.device), self.job.preprocess), target.to(self.fabric.device)

    def _scaler(self) -> dict[str, Any]:
        item = scaler(self.fabric)
        return {} if item is None else dict(item.state_dict())

    def _compiles(self) -> bool:
        config = self.job.config
        if config.compile == "off" or (config.compile == "auto" and self.fabric.device.type == "cpu"):
            return False
        given, target = self._batch([(0, index) for index in range(min(config.batch, len(self.dataset)))])

        def step(network: nn.Module) -> Tensor:
            with self.fabric.autocast():
                return self.objective(network(given), target)

        if config.compile == "on":
            compile_choice.require(self.network.train(), step)
            return True
        choice = compile_choice.measure_compile(self.network.train(), step, config.epochs * len(self.sampler))
        say(str(choice))
        return choice.pays


def _heads(network: nn.Module, job: TrainingJob) -> Sequence[nn.Module]:
    """The classifiers, once the network has what the job's options are about."""
    heads = find_classifiers(network, len(job.labels))
    for name in ("freeze", "head_lr"):
        if not heads and getattr(job.config, name) != type(job.config).model_fields[name].default:
            raise UserError(f"train.{name}: the network has no linear classifier that could be trained by itself")
    if job.config.freeze_norms:
        frozen_layers.require_norms(network)
    return heads


def _scales(network: nn.Module, heads: Sequence[nn.Module], job: TrainingJob) -> dict[int, float]:
    """Factors of the learning rate by the `id` of a weight; those that are not named have 1."""
    decay, own = job.config.layer_decay, job.config.head_lr
    scales = layer_depths.decayed_scales(network, heads, decay) if decay < 1.0 else {}
    return scales | {id(weight): own for head in heads for weight in head.parameters()}


def _augmentation(job: TrainingJob) -> EpochAugmentation:
    return EpochAugmentation(job.augment, tuple(job.size(epoch) for epoch in range(job.config.epochs)), job.covers)


def _draw_weights(job: TrainingJob) -> list[float] | None:
    """How often each crop is drawn; None: once an epoch."""
    if job.config.sampler == "none":
        return None
    numbers: list[float] = class_weights(job.counts, job.config.sampler)[np.asarray(job.train.labels)].tolist()
    return numbers
