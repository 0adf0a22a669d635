"""The training loop, visible top to bottom.

What is random is drawn from (seed, epoch, batch) and never from what came before, so a run stopped or killed at any
moment and resumed from its last checkpoint ends with the same weights as an unbroken one. Of several processes all go
through the same steps, since each waits for the others in every one; the first alone writes and speaks.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from leansort.arch import trained_model as trained_models
from leansort.arch.build import build
from leansort.arch.trained_model import TrainedModel
from leansort.core.errors import LeansortError
from leansort.core.run_folder import TrainingFolder
from leansort.train import checkpoint
from leansort.train.callbacks import TrainingCallback, opened
from leansort.train.checkpoint import TrainingProgress
from leansort.train.distillation.teacher_loss import Teacher
from leansort.train.epoch_outputs import write_epoch
from leansort.train.hardware.device import devices
from leansort.train.interrupt import catch_stop_signals
from leansort.train.job import TrainingJob
from leansort.train.training_run import TrainingRun


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
            `freeze` or `head_lr` with a network that has no classifier, `freeze_norms` with one that has no batch
            norms; `compile: on` where nothing can be compiled; a callback that cannot begin.
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
                    raise TrainingInterrupted(f"{where}, saved; go on with --resume, a solve with the same command")
                if speaks:
                    write_epoch(job, folder, run.state, progress, best=best)
                followers.on_epoch(record)
                fabric.barrier()
                if fabric.broadcast(followers.should_stop()) is not None:  # as the first process says, for all
                    break
            if run.any_is_told(stop):  # while val was scored the last time; what comes next is not wanted either
                raise TrainingInterrupted("training is finished and saved; stopped before what comes next")
    if speaks:
        shutil.rmtree(TrainingFolder(folder).teacher_outputs, ignore_errors=True)
    return trained_models.load(folder, fitting=False)  # what was just written


def _is_spent(progress: TrainingProgress, job: TrainingJob) -> bool:
    patience = job.config.patience
    return bool(patience) and progress.epoch - progress.best_epoch >= patience
