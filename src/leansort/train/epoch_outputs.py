"""What a run leaves behind after each epoch: the best model, the checkpoint, the metrics and TensorBoard's file."""

from __future__ import annotations

import contextlib
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from leansort.arch.trained_model import TrainedModel
from leansort.core.run_folder import TrainingFolder
from leansort.train import checkpoint
from leansort.train.callbacks import EpochRecord
from leansort.train.checkpoint import TrainingProgress, TrainingState
from leansort.train.job import TrainingJob


def write_epoch(
    job: TrainingJob, folder: Path, state: TrainingState, progress: TrainingProgress, *, best: bool
) -> None:
    """Write what the last epoch gave. The checkpoint comes last: killed before it, the epoch is simply done again."""
    files = TrainingFolder(folder)
    if best:
        weights = {name: value.clone() for name, value in state.ema.average.state_dict().items()}
        provenance = {**job.provenance, "epoch": progress.epoch, "val_macro_f1": progress.best}
        TrainedModel(job.spec, weights, job.preprocess, job.labels, provenance).save(files.model)
    files.history.write(progress.history)
    checkpoint.save(files.checkpoint, state, progress, job.identity)
    _to_tensorboard(files.tensorboard, progress.history[-1])


def _to_tensorboard(folder: Path, record: EpochRecord) -> None:
    with contextlib.closing(SummaryWriter(str(folder))) as writer:
        for name, value in record.items():
            if name != "epoch":
                writer.add_scalar(name, value, record["epoch"])
