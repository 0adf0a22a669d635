"""Val macro-F1 of a network, plain and on flipped crops."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from leansort.arch.trained_model import compute_logits
from leansort.data.loading.loader import eval_batches
from leansort.measure.accuracy.metrics import macro_f1_present
from leansort.train.job import TrainingJob

FLIPS: tuple[tuple[int, ...], ...] = ((), (3,), (2,), (2, 3))  # none, mirrored, upside down, turned


def evaluate(model: nn.Module, job: TrainingJob) -> float:
    """Val macro-F1 of a network in evaluation mode."""
    return _scored(compute_logits(model, job.preprocess, _batches(job, ())), job)


def evaluate_flipped(model: nn.Module, job: TrainingJob) -> float:
    """Val macro-F1 of the mean probabilities over four flips of every crop (test-time augmentation)."""
    soft_nc = [compute_logits(model, job.preprocess, _batches(job, dims)).softmax(1) for dims in FLIPS]
    return _scored(torch.stack(soft_nc).mean(0), job)


def _batches(job: TrainingJob, dims: tuple[int, ...]) -> Iterator[Tensor]:
    return (x_bchw.flip(dims) if dims else x_bchw for x_bchw in eval_batches(job.val.pixels, job.config.batch))


def _scored(out_nc: Tensor, job: TrainingJob) -> float:
    return macro_f1_present(np.asarray(job.val.labels), out_nc.argmax(1).numpy(), len(job.labels))
