"""Where a run stands, as one safetensors file: weights, average, optimizer, history. Never a pickle.

Random state is not among it: all that is random is drawn from (seed, epoch, batch).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from leansort.arch.trained_model import load_tensors, save_tensors
from leansort.core.errors import IntegrityError, UserError, one_line
from leansort.core.files import json_documents
from leansort.train.callbacks import EpochRecord
from leansort.train.optimization.weight_average import WeightAverage

_GROUP = "group-"


@dataclass
class TrainingProgress:
    """How far a run has come.

    Attributes:
        epoch: epochs done.
        best: highest val macro-F1 so far.
        best_epoch: where it was reached.
        history: one record an epoch.
        batch: batches done of the epoch that was interrupted.
        losses: for each process the losses of those batches, each times its crops, summed.
        scaler: of fp16 gradients.
        ranks: processes that train together.
        compiled: whether the network is compiled; None before that is decided.
    """

    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    history: list[EpochRecord] = field(default_factory=list)
    batch: int = 0
    losses: list[float] = field(default_factory=list)
    scaler: dict[str, Any] = field(default_factory=dict)
    ranks: int = 1
    compiled: bool | None = None

    def add(self, record: EpochRecord) -> bool:
        """Note an epoch that is done; return whether it is the best so far."""
        self.epoch, self.batch, self.losses = int(record["epoch"]), 0, []
        self.history.append(record)
        is_best = record["val_macro_f1"] > self.best
        if is_best:
            self.best, self.best_epoch = record["val_macro_f1"], self.epoch
        return is_best


@dataclass(frozen=True)
class TrainingState:
    """All that training changes.

    Attributes:
        model: the network, and what is trained beside it.
        ema: its moving average.
        optimizer: with its moments.
    """

    model: nn.Module
    ema: WeightAverage
    optimizer: torch.optim.Optimizer


def save(path: Path, state: TrainingState, progress: TrainingProgress, identity: str) -> None:
    """Write the checkpoint atomically; `identity` is the digest of what must not change on resuming."""
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in state.ema.average.state_dict().items()}
    moments, plain = _of_optimizer(state.optimizer)
    tensors |= {f"optimizer.{name}": value for name, value in moments.items()}
    save_tensors(path, tensors, {"identity": identity, "plain": plain, **asdict(progress)})


def identity(path: Path) -> str:
    """What a checkpoint was made with; see `save`.

    Raises:
        IntegrityError: it is damaged.
    """
    return str(load_tensors(path, "checkpoint")[1].get("identity"))


def require(path: Path, identity: str) -> None:
    """Refuse a checkpoint that `resume` would.

    Raises:
        UserError: it was made with another recipe, data set or seed.
        IntegrityError: it is damaged.
    """
    _require_same(path, load_tensors(path, "checkpoint")[1], identity)


def _require_same(path: Path, meta: dict[str, Any], identity: str) -> None:
    if meta.get("identity") != identity:
        raise UserError(f"resume: {path} was made with another recipe, data set or seed; start a new run instead")


def resume(path: Path, state: TrainingState, identity: str, ranks: int = 1) -> TrainingProgress:
    """Load a checkpoint into the given objects; return how far it had come.

    Raises:
        UserError: the checkpoint is missing, or belongs to another recipe, data set, seed or number of processes.
        IntegrityError: it is damaged, or does not fit the network.
    """
    tensors, meta = load_tensors(path, "checkpoint")
    _require_same(path, meta, identity)
    progress = json_documents.validate(meta, TrainingProgress, f"checkpoint: {path}")
    plain = json_documents.validate(
        meta.get("plain"), dict[str, dict[str, float | int | bool]], f"checkpoint: {path}: plain"
    )
    if progress.ranks != ranks:
        raise UserError(f"resume: {path} is of {progress.ranks} processes, here are {ranks}; start as many again")
    try:
        state.model.load_state_dict(_under("model.", tensors))
        state.ema.average.load_state_dict(_under("ema.", tensors))
        _load_optimizer(state.optimizer, _under("optimizer.", tensors), plain)
    except (
        RuntimeError,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
    ) as error:  # whatever PyTorch says
        raise IntegrityError(f"checkpoint: {path} does not fit the run: {one_line(error)}") from None
    return progress


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _of_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, dict[str, Any]]]:
    """Its state by holder (a parameter, or a group: some of timm's count steps there) and name: tensors and numbers."""
    whole = optimizer.state_dict()
    holders: dict[str, dict[str, Any]] = {str(index): values for index, values in whole["state"].items()}
    for number, group in enumerate(whole["param_groups"]):
        holders[f"{_GROUP}{number}"] = {name: value for name, value in group.items() if _changes(value)}
    tensors: dict[str, Tensor] = {}
    plain: dict[str, dict[str, Any]] = {}
    for holder, values in holders.items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{holder}.{name}"] = value
            else:
                plain.setdefault(holder, {})[name] = value
    return tensors, plain


def _changes(value: Any) -> bool:
    """Whether a group's value may be one that steps change: the others are settings, which the recipe gives again."""
    return isinstance(value, Tensor) or (isinstance(value, int | float) and math.isfinite(value))


def _fitting(kept: dict[str, Any], group: dict[str, Any], number: int) -> dict[str, Any]:
    """A group's values from a checkpoint, once they are of the kind that the recipe's optimizer has."""
    for name, value in kept.items():
        fresh = group.get(name)  # none of what some of timm's count only once they step
        same = value == fresh if isinstance(fresh, bool) else not isinstance(value, bool)
        if not same or not (fresh is None or _changes(fresh)):
            raise ValueError(f"{name} of {_GROUP}{number} is {value!r}, the recipe's {fresh!r}")
    return kept


def _load_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], plain: dict[str, dict[str, Any]]
) -> None:
    holders = {holder: dict(values) for holder, values in plain.items()}
    for key, value in tensors.items():
        holder, _, name = key.partition(".")
        holders.setdefault(holder, {})[name] = value
    fresh = enumerate(optimizer.state_dict()["param_groups"])
    groups = [group | _fitting(holders.pop(f"{_GROUP}{number}", {}), group, number) for number, group in fresh]
    state = {int(index): values for index, values in holders.items()}
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:  # laid as before, since sums depend on it
                values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
