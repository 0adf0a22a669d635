"""Trainings small enough to be run many times: crops of few pixels, networks of few rows."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel, load_tensors
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.loading.crops import Crops
from leansort.data.loading.loader import Pixels
from leansort.train.callbacks import EpochRecord, TrainingCallback, TrainingStep
from leansort.train.job import TrainingJob
from leansort.train.loop import TrainingInterrupted, train
from leansort.train.train_config import DistillConfig, TrainConfig

LABELS = LabelSet.of(["a", "b", "c"])
PLAIN: list[dict[str, Any]] = [  # without batch norms, so that a batch may be split; it sees the mean colour
    {"block": "pool"}, {"block": "dense", "out": 16, "act": "tanh"}, {"block": "linear"},
]  # fmt: skip
NORMED: list[dict[str, Any]] = [
    {"block": "conv", "out": 8, "stride": 2}, {"block": "inverted_residual", "expand": 2, "out": 8, "repeat": 2},
    {"block": "pool"}, {"block": "dropout", "p": 0.3}, {"block": "linear"},
]  # fmt: skip
AS_THEY_ARE = AugmentConfig(
    min_scale=1.0, ratio=1.0, flip_horizontal=0, flip_vertical=0, randaugment=0, erase=0
)  # fmt: skip
TIMES = ("seconds", "images_per_s", "waited")
Record = dict[str, Any]


def crops(count: int, *, size: int = 20, seed: int = 0) -> Crops:
    """Noise with a tint of its class; the first class has half of them."""
    rng = np.random.default_rng(seed)
    labels = [(0, 1, 0, 2)[at % 4] for at in range(count)]
    tints = np.array([[150, 110, 110], [110, 150, 110], [110, 110, 150]])[labels]
    pixels = tints[:, None, None] + rng.normal(0, 40, (count, size, size, 3))
    return Crops(np.clip(pixels, 0, 255).astype(np.uint8), labels)


def job(
    rows: Sequence[dict[str, Any]] = NORMED,
    *,
    count: int = 60,
    size: int = 16,
    augment: AugmentConfig | None = None,
    distill: DistillConfig | None = None,
    seed: int = 0,
    **fields: Any,
) -> TrainingJob:
    """A training of three epochs; `fields` are those of the `train` section that matter."""
    settings = {"epochs": 3, "batch": 8, "lr": 0.01, "warmup": 1, "workers": 0, "threads": 1, "ema": 0.9, **fields}
    return TrainingJob(
        ArchSpec(base="x", model={"rows": list(rows)}, classes=3), Preprocess(size=size), LABELS,
        crops(count, size=size + 4), crops(24, size=size, seed=1), TrainConfig(**settings),
        augment or AugmentConfig(randaugment=2, erase=0.1), Seeds(seed), {"seed": seed}, distill or DistillConfig(),
    )  # fmt: skip


class Recorder(TrainingCallback):
    """Keeps what a training tells its callbacks, and ends it after an epoch where it is told to."""

    def __init__(self, stop_after: int = 0) -> None:
        self.records, self.steps, self.closed = list[EpochRecord](), list[TrainingStep](), list[bool]()
        self.stop_after = stop_after

    def on_step(self, step: TrainingStep) -> None:
        self.steps.append(step)

    def on_epoch(self, record: EpochRecord) -> None:
        self.records.append(record)

    def should_stop(self) -> str | None:
        return "it is enough" if self.records and self.records[-1]["epoch"] == self.stop_after else None

    def close(self, *, failed: bool) -> None:
        self.closed.append(failed)


def trained(
    training_job: TrainingJob, folder: Path, callback: Recorder | None = None, **more: Any
) -> tuple[TrainedModel, list[Record]]:
    """Train; return the model and what the epochs gave, without what the clock says."""
    recorder = callback or Recorder()
    model = train(training_job, folder, callbacks=[recorder], **more)
    return model, timeless(recorder.records)


def timeless(records: Sequence[Record]) -> list[Record]:
    return [{name: value for name, value in record.items() if name not in TIMES} for record in records]


class Pressed:
    """Crops that press Ctrl-C once so many of them have been asked for, in whichever process."""

    def __init__(self, pixels: Pixels, after: int) -> None:
        self.pixels, self.left, self.process = pixels, after, os.getpid()

    def __getitem__(self, index: int) -> Pixels:
        self.left -= 1
        if self.left == 0:
            os.kill(self.process, signal.SIGINT)
        return cast(Pixels, self.pixels[index])


def pressed(training_job: TrainingJob, after: int) -> TrainingJob:
    return replace(
        training_job, train=Crops(cast(Pixels, Pressed(training_job.train.pixels, after)), training_job.train.labels)
    )


def stopped(training_job: TrainingJob, folder: Path, after: int, **more: Any) -> None:
    """Train until Ctrl-C comes, while crop number `after` of this start is fetched."""
    with pytest.raises(TrainingInterrupted, match="--resume"):
        train(pressed(training_job, after), folder, **more)


def kept(folder: Path) -> tuple[dict[str, Tensor], list[Record]]:
    """Everything in a folder's checkpoint: tensors, and the epochs' records without what the clock says."""
    tensors, meta = load_tensors(folder / "last.safetensors", "checkpoint")
    return tensors, timeless(meta["history"])


def require_equal(first: Path, second: Path) -> None:
    """Two runs ended alike, bit for bit."""
    ours, our_history = kept(first)
    theirs, their_history = kept(second)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    assert our_history == their_history
    item, two = (load_tensors(folder / "model.safetensors", "model") for folder in (first, second))
    assert item[1] == two[1]
    assert all(torch.equal(item[0][name], two[0][name]) for name in item[0])


class WithoutClassifier(nn.Module):
    """A network whose outputs no linear layer gives."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 3))

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Map (b, 3, h, w) to (b, 3)."""
        return x_bchw.mean((2, 3)) @ self.weight
