"""The training loop, visible top to bottom.

What is random is drawn from (seed, epoch, batch) and never from what came before, so a run stopped or killed at any
moment and resumed from its last checkpoint ends with the same weights as an unbroken one. Of several processes all go
through the same steps, since each waits for the others in every one; the first alone writes and speaks.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from leansort.arch import trained_model as trained_models
from leansort.arch.build import build
from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.timm_models import timm_networks
from leansort.arch.trained_model import TrainedModel, normalize
from leansort.core.errors import LeansortError, UserError
from leansort.core.process.console import say
from leansort.core.run_folder import TrainingFolder
from leansort.core.seeds import Seeds
from leansort.data.augmentation.epochs import EpochAugmentation
from leansort.data.augmentation.mixing import mix_labelled
from leansort.data.loading.class_balance import class_weights
from leansort.data.loading.loader import UNLABELLED, AugmentedCrops, train_loader
from leansort.train import checkpoint
from leansort.train.callbacks import EpochRecord, TrainingCallback, TrainingStep, opened
from leansort.train.checkpoint import TrainingProgress, TrainingState
from leansort.train.distillation.named_views import NamedViews
from leansort.train.distillation.teacher_loss import Student, Teacher
from leansort.train.distillation.teacher_outputs import Key
from leansort.train.ema import WeightAverage
from leansort.train.epoch_outputs import write_epoch
from leansort.train.hardware import compile_choice
from leansort.train.hardware.device import Fabric, devices, scaler
from leansort.train.interrupt import StopRequest, catch_stop_signals
from leansort.train.job import TrainingJob
from leansort.train.losses import TrainingLoss
from leansort.train.optim import build_optimizer, learning_rate
from leansort.train.train_config import NO_TEACHER
from leansort.train.validation import evaluate, evaluate_flipped


class TrainingInterrupted(LeansortError):
    """Training was stopped by the user or the machine; the checkpoint is written."""

    exit_code = 130


def train(
    job: TrainingJob,
    folder: Path,
    *,
    network: nn.Module | None = None,
    teachers: Sequence[Teacher] = (),
    resume: bool = False,
    callbacks: Sequence[TrainingCallback] = (),
) -> TrainedModel:
    """Train a network and keep its best epoch.

    Args:
        job: what to train on what.
        folder: gets `model.safetensors` (best epoch), `last.safetensors`, `metrics.jsonl` and `tensorboard/`.
        network: what to begin with, of `job.spec`; None draws it.
        teachers: to learn from, as `job.distill` says.
        resume: go on from `last.safetensors`.
        callbacks: follow the training, in the first process; one of them may end it after an epoch.

    Returns:
        The model of the epoch with the highest val macro-F1.

    Raises:
        UserError: `resume` without a checkpoint, or with one of another recipe, data set, seed or number of processes;
            `freeze` with a network that has no classifier; `compile: on` where nothing can be compiled; a callback
            that cannot begin.
        TrainingInterrupted: Ctrl-C or SIGTERM came; the checkpoint holds the step that was done last.
        LeansortError: the loss is no number any more.
    """
    fabric = devices(job.config)
    speaks = fabric.is_global_zero
    run = TrainingRun(job, fabric, network or build(job.spec, job.seeds), teachers)
    last = TrainingFolder(folder).checkpoint
    progress = run.resume(TrainingFolder(folder)) if resume else TrainingProgress(ranks=fabric.world_size)
    if not resume and speaks:  # what another training left, which did not come to its first checkpoint
        shutil.rmtree(TrainingFolder(folder).teacher_outputs, ignore_errors=True)
    with opened(callbacks if speaks else ()) as followers:
        run.compile(progress)
        with catch_stop_signals() as stop:
            while progress.epoch < job.config.epochs and not _is_spent(progress, job):
                record = run.epoch(progress, stop, followers)
                best = progress.add(record) if record else False
                run.keep_teacher_outputs(TrainingFolder(folder), progress)
                if not record:
                    if speaks:
                        checkpoint.save(last, run.state, progress, job.identity)
                    fabric.barrier()  # torchrun ends all processes as soon as one has ended: not before it is saved
                    where = f"training stopped in epoch {progress.epoch + 1}"
                    raise TrainingInterrupted(f"{where}, saved; go on with --resume")
                if speaks:
                    write_epoch(job, folder, run.state, progress, best=best)
                followers.on_epoch(record)
                fabric.barrier()
                if fabric.broadcast(followers.should_stop()) is not None:  # as the first process says, for all
                    break
            if run._any(stop):  # while val was scored the last time; what comes next is not wanted either
                raise TrainingInterrupted("training is finished and saved; stopped before what comes next")
    if speaks:
        shutil.rmtree(TrainingFolder(folder).teacher_outputs, ignore_errors=True)
    return trained_models.load(folder, fitting=False)  # what was just written


def synchronize_batch_norms(student: Student, device: torch.device) -> Student:
    """The same with batch norms whose statistics all processes share.

    Raises:
        UserError: on CPUs, where PyTorch has none.
        MissingExtraError: the network is timm's, and timm is not installed.
    """
    if device.type == "cpu":
        raise UserError("train.sync_norms: PyTorch shares batch norms between GPUs only")
    norms = [module for module in student.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if all(type(norm) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d) for norm in norms):
        return cast(Student, nn.SyncBatchNorm.convert_sync_batchnorm(student))  # type: ignore[no-untyped-call]
    # timm's norms have an activation of their own, which PyTorch's conversion would drop.
    return cast(Student, timm_networks.synchronize_batch_norms(student))


def _is_spent(progress: TrainingProgress, job: TrainingJob) -> bool:
    patience = job.config.patience
    return bool(patience) and progress.epoch - progress.best_epoch >= patience


class TrainingRun:
    """The moving parts of one training."""

    def __init__(self, job: TrainingJob, fabric: Fabric, network: nn.Module, teachers: Sequence[Teacher]) -> None:
        self.job, self.fabric, self.network = job, fabric, network
        widths = [teacher.width for teacher in teachers if teacher.width] if job.distill.hints else []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(job.seeds.child("train/hints").value)
            self.student = Student(network, widths, len(job.labels))
        self.objective = TrainingLoss(job.config, job.counts, fabric.device)
        self.ema = WeightAverage(network.to(fabric.device), job.config.ema)
        seeds = job.seeds.child("train")
        if job.unlabelled is not None and not teachers:
            raise UserError(f"distill.unlabelled: {NO_TEACHER}")
        self.dataset = AugmentedCrops(job.train.pixels, job.train.labels, _augmentation(job), seeds, job.unlabelled)
        self.views = NamedViews(job, self.dataset)
        self.distillation = self.views.distillation(teachers) if teachers else None
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
        if job.config.sync_norms and fabric.world_size > 1:
            self.student = synchronize_batch_norms(self.student, fabric.device)
        self.model, self.optimizer = fabric.setup(self.student, build_optimizer(self.student, job.config))
        self.heads = {id(p) for head in find_classifiers(network, len(job.labels)) for p in head.parameters()}
        if job.config.freeze and not self.heads:
            raise UserError("train.freeze: the network has no linear classifier that could be trained alone")

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
        config, number, started = self.job.config, progress.epoch, time.perf_counter()
        order = self.sampler.begin(number, progress.batch)
        batches, waited, seen, text = iter(self.loader), 0.0, 0, started
        before = sum(len(keys) for keys in order[: progress.batch])
        self.student.train(number >= config.freeze)
        self.freeze_body(number < config.freeze)
        summed = progress.losses[self.fabric.global_rank] if progress.losses else 0.0
        total = torch.tensor(summed, device=self.fabric.device)
        for keys in order[progress.batch :]:
            asked = time.perf_counter()
            x_bchw, target = next(batches)
            waited += time.perf_counter() - asked
            total += len(keys) * self._step(x_bchw, target, keys, number, progress.batch)
            progress.batch, seen = progress.batch + 1, seen + len(keys)
            if time.perf_counter() - text > 0.5:
                text, mean = time.perf_counter(), self._number(total, number) / (before + seen)
                followers.on_step(TrainingStep(number + 1, progress.batch, len(self.sampler), mean))
            if self._ends(progress.batch - 1) and self._any(stop):
                progress.losses, progress.scaler = self._losses(total, number), self._scaler()
                return {}
        next(batches, None)  # lets the loader's workers end the epoch
        trained = time.perf_counter() - started
        progress.scaler = self._scaler()
        return {
            "epoch": number + 1,
            "loss": sum(self._losses(total, number)) / sum(self.sampler.sizes),
            "lr": self._lr(number, len(self.sampler) - 1),
            **self._scores(),
            "images_per_s": seen * self.fabric.world_size / trained,
            "waited": waited / trained,
            "seconds": time.perf_counter() - started,
        }

    def _step(self, x_bchw: Tensor, target: Tensor, keys: Sequence[Key], epoch: int, index: int) -> Tensor:
        """Forward, backward and, where an accumulated step ends, the optimizer; returns the batch's mean loss."""
        torch.manual_seed(self._seeds(f"train/{epoch}/{index}").value)  # dropout
        x_bchw, target = x_bchw.to(self.fabric.device), target.to(self.fabric.device)
        mixes = bool(self.job.augment.mixup or self.job.augment.cutmix)
        if mixes:
            drawn = self._seeds(f"mix/{epoch}/{index}").numpy()
            x_bchw, target = mix_labelled(x_bchw, target, len(self.job.labels), self.job.augment, drawn)
        elif self.job.unlabelled is not None:
            target = target[target != UNLABELLED]
        with self.fabric.no_backward_sync(self.model, enabled=not self._ends(index)):
            loss = self._loss(x_bchw, target, None if mixes else self.views.names(keys, epoch))
            self.fabric.backward(loss * self._share(len(keys), index))
        if self._ends(index):
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
        for group in self.optimizer.param_groups:
            group["lr"] = self._lr(epoch, index)
        if epoch < self.job.config.freeze:
            for parameter in self.student.parameters():
                parameter.grad = parameter.grad if id(parameter) in self.heads else None
        if self.job.config.clip:
            self.fabric.clip_gradients(
                self.model, self.optimizer, max_norm=self.job.config.clip, error_if_nonfinite=False
            )
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.update(self.network, self._steps(epoch, index)[0])

    def freeze_body(self, frozen: bool) -> None:
        """Compute no gradients of what is not trained; of several processes, which swap them all, each computes all."""
        if self.fabric.world_size == 1:
            for parameter in self.student.parameters():
                parameter.requires_grad_(not frozen or id(parameter) in self.heads)

    def _steps(self, epoch: int, index: int) -> tuple[int, int]:
        """The number of the step that a batch belongs to, from 0, and the steps of an epoch."""
        steps = -(-len(self.sampler) // self.job.config.accumulate)
        return epoch * steps + index // self.job.config.accumulate, steps

    def _lr(self, epoch: int, index: int) -> float:
        return learning_rate(*self._steps(epoch, index), self.job.config)

    def _any(self, stop: StopRequest) -> bool:
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

    def _ends(self, index: int) -> bool:
        return (index + 1) % self.job.config.accumulate == 0 or index + 1 == len(self.sampler)

    def _share(self, crops: int, index: int) -> float:
        """What a batch's mean counts: its share of the crops, over all processes and batches, that make one step."""
        start = index - index % self.job.config.accumulate
        return crops * self.fabric.world_size / sum(self.sampler.sizes[start : start + self.job.config.accumulate])

    def _scores(self) -> dict[str, float]:
        scores = {}
        if self.fabric.is_global_zero:
            scores["val_macro_f1"] = evaluate(self.ema.average, self.job)
            if self.job.config.tta:
                scores["val_macro_f1_tta"] = evaluate_flipped(self.ema.average, self.job)
        given: dict[str, float] = self.fabric.broadcast(scores)
        return given

    def _seeds(self, name: str) -> Seeds:
        """Every process has its own, the first those of a run of one process."""
        rank = self.fabric.global_rank
        return self.job.seeds.child(f"{name}/rank-{rank}" if rank else name)

    def _scaler(self) -> dict[str, Any]:
        item = scaler(self.fabric)
        return {} if item is None else dict(item.state_dict())

    def _compiles(self) -> bool:
        config = self.job.config
        if config.compile == "off" or (config.compile == "auto" and self.fabric.device.type == "cpu"):
            return False
        x_bchw, target = self.dataset.__getitems__([(0, i) for i in range(min(config.batch, len(self.dataset)))])
        given = normalize(x_bchw.to(self.fabric.device), self.job.preprocess)
        target = target.to(self.fabric.device)

        def step(network: nn.Module) -> Tensor:
            with self.fabric.autocast():
                return self.objective(network(given), target)

        if config.compile == "on":
            compile_choice.require(self.network.train(), step)
            return True
        choice = compile_choice.measure_compile(self.network.train(), step, config.epochs * len(self.sampler))
        say(str(choice))
        return choice.pays


def _augmentation(job: TrainingJob) -> EpochAugmentation:
    return EpochAugmentation(job.augment, tuple(job.size(epoch) for epoch in range(job.config.epochs)))


def _draw_weights(job: TrainingJob) -> list[float] | None:
    """How often each crop is drawn; None: once an epoch."""
    if job.config.sampler == "none":
        return None
    numbers: list[float] = class_weights(job.counts, job.config.sampler)[np.asarray(job.train.labels)].tolist()
    return numbers
