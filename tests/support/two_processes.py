"""What each of two processes does that `test_torchrun` starts: train; be stopped by one of them alone; go on."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from leansort.arch.build import build
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.loading.crops import Crops
from leansort.data.loading.loader import Pixels
from leansort.train.job import TrainingJob
from leansort.train.loop import TrainingInterrupted, train
from leansort.train.train_config import DistillConfig
from tests.support.jobs import NORMED, crops, job, pressed, trained

STEPS_IN_TURN = job(
    NORMED, count=58, batch=4, accumulate=2, epochs=3, augment=AugmentConfig(mixup=0.4),
    freeze=1, layer_decay=0.5, head_lr=3.0, average_from=0.67,
)  # fmt: skip


class Noted:
    """Crops that write down who asked for which."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels, self.asked = pixels, list[int]()

    def __getitem__(self, index: int) -> Pixels:
        self.asked.append(int(index))
        return cast(Pixels, self.pixels[index])


TAUGHT = replace(
    job(NORMED, count=58, batch=4, epochs=3, augment=AugmentConfig(views=2),
        distill=DistillConfig(teachers=(Path("t"),), unlabelled=Path("u"), unlabelled_ratio=0.75)),
    unlabelled=crops(30, size=20, seed=3).pixels,
)  # fmt: skip


class Brightest:
    """A teacher that calls crops by their strongest channel, and counts those that it was shown."""

    width, size, shown = 0, 0, 0

    def __call__(self, x_bchw: Tensor) -> tuple[Tensor, None]:
        self.shown += len(x_bchw)
        return x_bchw.float().mean((2, 3)) / 4, None


def noted(training_job: TrainingJob) -> tuple[TrainingJob, Noted]:
    pixels = Noted(training_job.train.pixels)
    return replace(training_job, train=Crops(cast(Pixels, pixels), training_job.train.labels)), pixels


def stopped_by_the_second(folder: Path, rank: int, after: int, of: TrainingJob = STEPS_IN_TURN, **more: Any) -> str:
    try:
        train(pressed(of, after) if rank == 1 else of, folder, **more)
    except TrainingInterrupted as error:
        return str(error)
    return "not stopped"


def main(out: Path) -> None:
    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    item, pixels = noted(STEPS_IN_TURN)
    network = build(item.spec, item.seeds)
    dropped: list[list[bool]] = []

    def note(module: nn.Module, _: tuple[Tensor, ...], kept_bc: Tensor) -> None:
        if module.training:
            dropped.append((kept_bc[:4] == 0).flatten().tolist())

    next(module for module in network.modules() if isinstance(module, nn.Dropout)).register_forward_hook(note)
    _, records = trained(item, out / "whole", network=network)
    first = stopped_by_the_second(out / "broken", rank, after=17)
    again = stopped_by_the_second(out / "broken", rank, after=31, resume=True)
    trained(STEPS_IN_TURN, out / "broken", resume=True)
    teacher = Brightest()
    trained(TAUGHT, out / "taught", teachers=[teacher])
    stopped_by_the_second(out / "untaught", rank, after=17, of=TAUGHT, teachers=[Brightest()])
    trained(TAUGHT, out / "untaught", resume=True, teachers=[Brightest()])
    told = {
        "shown": teacher.shown,
        "asked": pixels.asked,
        "records": records,
        "dropped": dropped,
        "stopped": [first, again],
    }
    (out / f"rank-{rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
