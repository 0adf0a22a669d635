"""Where a run stands, as one safetensors file: weights, average, optimizer, random state, history. Never a pickle."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
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
        best_epoch: where it was reached.
        history: one record an epoch.
        batch: batches done of the epoch that was interrupted.
        loss: their losses, each times its crops, summed.
        scaler: of fp16 gradients.
    """

    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    batch: int = 0
    loss: float = 0.0
    scaler: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """All that training changes.

    Attributes:
        model: the network, and what is trained beside it.
        ema: its moving average.
        optimizer: with its moments.
    """

    model: nn.Module
    ema: Ema
    optimizer: torch.optim.Optimizer


def save(path: Path, state: State, progress: Progress, identity: str) -> None:
    """Write the checkpoint atomically; `identity` is the digest of what must not change on resuming."""
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in state.ema.average.state_dict().items()}
    moments, plain = _of_optimizer(state.optimizer)
    tensors |= {f"optimizer.{name}": value for name, value in moments.items()}
    if progress.batch:  # between epochs there is none: each draws its own from the seed
        tensors |= _random_state()
    save_tensors(path, tensors, {"identity": identity, "plain": plain, **asdict(progress)})


def resume(path: Path, state: State, identity: str) -> tuple[Progress, dict[str, Tensor]]:
    """Load a checkpoint into the given objects.

    Returns:
        How far it had come, and the random state, for `restore_random` once the epoch's batches have been begun.

    Raises:
        UserError: the checkpoint is missing, or belongs to another recipe, data set or seed.
    """
    tensors, meta = load_tensors(path, "checkpoint")
    if meta["identity"] != identity:
        raise UserError(f"resume: {path} was made with another recipe, data set or seed; start a new run instead")
    state.model.load_state_dict(_under("model.", tensors))
    state.ema.average.load_state_dict(_under("ema.", tensors))
    _load_optimizer(state.optimizer, _under("optimizer.", tensors), meta["plain"])
    known = Progress.__dataclass_fields__
    return Progress(**{name: value for name, value in meta.items() if name in known}), _under("random.", tensors)


def restore_random(kept: dict[str, Tensor]) -> None:
    """Set the random state that a checkpoint holds."""
    if "cpu" in kept:
        torch.set_rng_state(kept["cpu"])
    if "cuda" in kept and torch.cuda.is_available():
        torch.cuda.set_rng_state(kept["cuda"])


def _random_state() -> dict[str, Tensor]:
    cuda = {"random.cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {}
    return {"random.cpu": torch.get_rng_state(), **cuda}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _of_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, dict[str, Any]]]:
    """Its state by parameter and name: tensors, and what is plain."""
    tensors: dict[str, Tensor] = {}
    plain: dict[str, dict[str, Any]] = {}
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = value
            else:
                plain.setdefault(str(index), {})[name] = value
    return tensors, plain


def _load_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], plain: dict[str, dict[str, Any]]
) -> None:
    state: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in plain.items()}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
