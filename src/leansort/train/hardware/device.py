"""Where training runs: threads, processes, number types."""

from __future__ import annotations

import atexit
import os
from typing import Any, Literal

import lightning_fabric
import torch

from leansort.train.hardware.allocator import keep_memory
from leansort.train.train_config import TrainConfig

Fabric = lightning_fabric.Fabric
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def devices(config: TrainConfig) -> Fabric:
    """Set threads and memory, and join the processes that torchrun has started, if it has.

    Under torchrun every process takes `config.batch` crops of each step, and gradients are averaged over all.
    """
    keep_memory()
    local, world = (int(os.environ.get(name, "1")) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    torch.set_num_threads(config.threads or max(1, len(os.sched_getaffinity(0)) // local))
    fabric = Fabric(
        accelerator="auto",
        devices=local,
        num_nodes=world // local,
        strategy="ddp" if world > 1 else "auto",
        precision=precision(config, cuda=torch.cuda.is_available()),
    )
    if world > 1:
        if not torch.distributed.is_initialized():
            atexit.register(_leave)
        fabric.launch()
    return fabric


def _leave() -> None:
    """Part from the other processes in order: gloo's threads, met by the end of the program, abort it now and then."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def precision(config: TrainConfig, *, cuda: bool) -> Precision:
    """Number types of the training step.

    bf16 needs no scaled gradients; GPUs before Ampere do it slowly, so they get fp16. On a CPU bf16 is slower than
    fp32 for depthwise networks, with matrix units too.
    """
    wanted = config.precision
    if wanted == "auto":
        wanted = ("bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16") if cuda else "fp32"
    kinds: dict[str, Precision] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
    return kinds[wanted]


def scaler(fabric: Fabric) -> Any:
    """The scaler of fp16 gradients; None with other number types."""
    return getattr(fabric.strategy.precision, "scaler", None)
