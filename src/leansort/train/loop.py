"""The training loop, visible top to bottom.

What is random is drawn from (seed, epoch), so a run killed at any moment and resumed from its last checkpoint
ends with the same weights as an unbroken one.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning_fabric
import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.tensorboard import SummaryWriter

from leansort.arch import trained as trained_models
from leansort.arch.archspec import ArchSpec
from leansort.arch.build import build
from leansort.arch.trained import TrainedModel, logits, normalized
from leansort.core import store
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.data.augment import augmentation
from leansort.data.augment_config import AugmentConfig
from leansort.data.augmenting.mixing import mixed
from leansort.data.balance import class_weights
from leansort.data.loader import AugmentedCrops, Pixels, eval_batches, train_loader
from leansort.measure.accuracy import macro_f1
from leansort.train import checkpoint
from leansort.train.config import TrainConfig
from leansort.train.ema import Ema
from leansort.train.optim import adamw, learning_rate

Record = dict[str, Any]


@dataclass(frozen=True)
class Crops:
    """Decoded crops of one split: (n, h, w, 3) uint8 and n class indices."""

    pixels: Pixels
    labels: Sequence[int]


@dataclass(frozen=True)
class Job:
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

    @property
    def identity(self) -> str:
        """Digest of everything that must be equal for a resumed run to end as an unbroken one."""
        parts = [self.spec, self.preprocess, self.config.model_copy(update={"workers": 0}), self.augment]
        data = {key: self.provenance.get(key) for key in ("data", "seed")}
        return store.digest([[part.model_dump(mode="json") for part in parts], data, list(self.labels.names)])


def train(
    job: Job, folder: Path, *, network: nn.Module | None = None, resume: bool = False,
    on_epoch: Callable[[Record], None] | None = None,
) -> TrainedModel:  # fmt: skip
    """Train a network and keep its best epoch.

    Args:
        job: what to train on what.
        network: what to begin with, of `job.spec`; None draws it.
        folder: gets `model.safetensors` (best epoch), `last.safetensors`, `metrics.jsonl` and `tensorboard/`.
        resume: go on from `last.safetensors`.
        on_epoch: called with each epoch's record (epoch, loss, val_macro_f1, lr, seconds, images_per_s).

    Returns:
        The model of the epoch with the highest val macro-F1.

    Raises:
        UserError: `resume` without a checkpoint, or with one of another recipe, data set or seed.
    """
    torch.set_num_threads(job.config.threads or len(os.sched_getaffinity(0)))
    fabric = lightning_fabric.Fabric(accelerator="auto", devices=1, precision=_precision(job.config))
    network = network or build(job.spec, job.seeds)
    model, optimizer = fabric.setup(network, adamw(network, job.config))
    ema = Ema(network, job.config.ema)
    dataset = AugmentedCrops(
        job.train.pixels, job.train.labels, augmentation(job.augment, job.preprocess.size), job.seeds.child("train")
    )
    loader, sampler = train_loader(
        dataset, job.config.batch, job.config.workers, job.seeds.child("train"), _draw_weights(job)
    )
    weights = _loss_weights(job, fabric.device)
    progress = checkpoint.Progress(epoch=0, best=-1.0, history=[])
    if resume:
        progress = checkpoint.resume(folder / "last.safetensors", network, ema, optimizer.optimizer, job.identity)

    for epoch in range(progress.epoch, job.config.epochs):
        started = time.perf_counter()
        torch.manual_seed(job.seeds.child(f"train/epoch-{epoch}").value)  # dropout
        sampler.epoch = epoch
        network.train()
        losses = []
        for index, (x_bchw, target) in enumerate(loader):
            step = epoch * len(sampler) + index
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, len(sampler), job.config)
            if job.augment.mixup or job.augment.cutmix:
                drawn = job.seeds.child(f"mix/{step}").numpy()
                x_bchw, target = mixed(x_bchw, target, len(job.labels), job.augment, drawn)
            out = model(normalized(x_bchw.to(fabric.device), job.preprocess))
            smoothing = job.config.label_smoothing
            loss = cross_entropy(out, target.to(fabric.device), weight=weights, label_smoothing=smoothing)
            optimizer.zero_grad()
            fabric.backward(loss)
            if job.config.clip:
                fabric.clip_gradients(model, optimizer, max_norm=job.config.clip)
            optimizer.step()
            ema.update(network, step)
            losses.append(loss.detach())
        trained = time.perf_counter() - started
        record: Record = {
            "epoch": epoch + 1,
            "loss": float(torch.stack(losses).mean()),
            "lr": optimizer.param_groups[0]["lr"],
            "val_macro_f1": evaluate(ema.average, job),
            "images_per_s": len(dataset) / trained,
            "seconds": time.perf_counter() - started,
        }
        _keep(job, folder, network, ema, optimizer.optimizer, progress, record)
        if on_epoch:
            on_epoch(record)
    return trained_models.load(folder)


def evaluate(model: nn.Module, job: Job) -> float:
    """Val macro-F1 of a network in evaluation mode."""
    out = logits(model, job.preprocess, eval_batches(job.val.pixels, job.config.batch))
    return macro_f1(np.asarray(job.val.labels), out.argmax(1).numpy(), len(job.labels))


def _counts(job: Job) -> list[int]:
    counted: list[int] = np.bincount(job.train.labels, minlength=len(job.labels)).tolist()
    return counted


def _loss_weights(job: Job, device: torch.device) -> torch.Tensor | None:
    """Weight of each class in the loss; None where all weigh the same."""
    if job.config.class_weights == "none":
        return None
    return torch.tensor(class_weights(_counts(job), job.config.class_weights), dtype=torch.float32, device=device)


def _draw_weights(job: Job) -> list[float] | None:
    """How often each crop is drawn; None: once an epoch."""
    if job.config.sampler == "none":
        return None
    each: list[float] = class_weights(_counts(job), job.config.sampler)[np.asarray(job.train.labels)].tolist()
    return each


def _precision(config: TrainConfig) -> Literal["bf16-mixed", "32-true"]:
    bf16 = config.precision == "bf16" or (config.precision == "auto" and torch.cuda.is_available())
    return "bf16-mixed" if bf16 else "32-true"


def _keep(
    job: Job, folder: Path, network: nn.Module, ema: Ema, optimizer: torch.optim.Optimizer,
    progress: checkpoint.Progress, record: Record,
) -> None:  # fmt: skip
    """Write what the epoch gave. The checkpoint comes last: killed before it, the epoch is simply done again."""
    progress.epoch = record["epoch"]
    progress.history.append(record)
    if record["val_macro_f1"] > progress.best:
        progress.best = record["val_macro_f1"]
        weights = {name: value.clone() for name, value in ema.average.state_dict().items()}
        provenance = {**job.provenance, "epoch": progress.epoch, "val_macro_f1": progress.best}
        TrainedModel(job.spec, weights, job.preprocess, job.labels, provenance).save(folder / "model.safetensors")
    lines = "".join(store.canonical_json(one) + "\n" for one in progress.history)
    store.write_text(folder / "metrics.jsonl", lines)
    checkpoint.save(folder / "last.safetensors", network, ema, optimizer, progress, job.identity)
    _to_tensorboard(folder / "tensorboard", record)


def _to_tensorboard(folder: Path, record: Record) -> None:
    with contextlib.closing(SummaryWriter(str(folder))) as writer:
        for name in ("loss", "lr", "val_macro_f1", "images_per_s"):
            writer.add_scalar(name, record[name], record["epoch"])
