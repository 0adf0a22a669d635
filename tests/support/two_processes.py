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
from tests.support.jobs import NORMED, job, pressed, trained

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


def noted(training_job: TrainingJob) -> tuple[TrainingJob, Noted]:
    pixels = Noted(training_job.train.pixels)
    return replace(training_job, train=Crops(cast(Pixels, pixels), training_job.train.labels)), pixels


def stopped_by_the_second(folder: Path, rank: int, after: int, **more: Any) -> str:
    try:
        train(pressed(STEPS_IN_TURN, after) if rank == 1 else STEPS_IN_TURN, folder, **more)
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
    told = {"asked": pixels.asked, "records": records, "dropped": dropped, "stopped": [first, again]}
    (out / f"rank-{rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
