"""Where a run stands, as one safetensors file: weights, average, optimizer state, history. Never a pickle.

Random state need not be stored: everything random is drawn from (seed, epoch).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from leansort.arch.trained import load_tensors, save_tensors
from leansort.core.errors import UserError
from leansort.train.ema import Ema


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        epoch: epochs done.
        best: highest val macro-F1 so far.
        history: one record an epoch.
    """

    epoch: int
    best: float
    history: list[dict[str, Any]]


def save(
    path: Path, model: nn.Module, ema: Ema, optimizer: torch.optim.Optimizer, progress: Progress, identity: str
) -> None:
    """Write the checkpoint atomically; `identity` is the digest of what must not change on resuming."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in ema.average.state_dict().items()}
    tensors |= _optimizer_tensors(optimizer)
    save_tensors(path, tensors, {"identity": identity, **vars(progress)})


def resume(path: Path, model: nn.Module, ema: Ema, optimizer: torch.optim.Optimizer, identity: str) -> Progress:
    """Load a checkpoint into the given objects and return how far it had come.

    Raises:
        UserError: the checkpoint is missing, or belongs to another recipe, data set or seed.
    """
    tensors, meta = load_tensors(path, "checkpoint")
    if meta["identity"] != identity:
        raise UserError(f"resume: {path} was made with another recipe, data set or seed; start a new run instead")
    model.load_state_dict(_under("model.", tensors))
    ema.average.load_state_dict(_under("ema.", tensors))
    _load_optimizer(optimizer, _under("optimizer.", tensors))
    return Progress(meta["epoch"], meta["best"], meta["history"])


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"optimizer.{index}.{name}": value for index, values in state.items() for name, value in values.items()}


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    whole = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
