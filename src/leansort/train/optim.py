"""Optimizers and learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from leansort.arch.workarounds.torchvision_import import import_torchvision
from leansort.core.errors import UserError, did_you_mean
from leansort.train.train_config import TrainConfig

TIMM = "timm:"


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The recipe's optimizer; one-dimensional parameters (biases, batch norms) do not decay.

    Raises:
        UserError: timm has no optimizer of that name.
        MissingExtraError: timm is asked for and not installed.
    """
    decayed = [p for p in model.parameters() if p.ndim > 1]
    kept = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": kept, "weight_decay": 0.0}]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr)  # arXiv:1711.05101
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0)
    return _of_timm(groups, config, next(model.parameters()).device)


def _of_timm(groups: list[dict[str, Any]], config: TrainConfig, device: torch.device) -> torch.optim.Optimizer:
    library = import_torchvision("timm.optim", "timm")
    name = config.optimizer.removeprefix(TIMM)
    if name not in library.list_optimizers():
        raise UserError(f"train.optimizer: timm has no {name!r}{did_you_mean(name, library.list_optimizers())}")

    def make(given: list[dict[str, Any]]) -> torch.optim.Optimizer:
        made = library.create_optimizer_v2(given, opt=name, lr=config.lr, momentum=config.momentum)
        assert isinstance(made, torch.optim.Optimizer)
        return made

    _try(make, name, device)
    return make(groups)


def _try(make: Callable[[list[dict[str, Any]]], torch.optim.Optimizer], name: str, device: torch.device) -> None:
    """Refuse what needs another device or second derivatives, or keeps what no checkpoint holds, before training."""
    weight = nn.Parameter(torch.ones(2, 2, device=device))
    try:
        item = make([{"params": [weight]}])
        weight.square().sum().backward()  # type: ignore[no-untyped-call]
        item.step()
    except (AssertionError, ImportError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"train.optimizer: timm's {name!r} cannot be used here ({error})") from None
    values = [value for state in item.state.values() for value in state.values()]
    if not all(isinstance(value, torch.Tensor | int | float) for value in values):
        raise UserError(f"train.optimizer: timm's {name!r} keeps lists, which a checkpoint does not hold")


def learning_rate(step: int, steps_per_epoch: int, config: TrainConfig) -> float:
    """The learning rate as a function of the step alone: linear warm-up, then the recipe's schedule.

    Args:
        step: counts from 0.
        steps_per_epoch: steps an epoch.
        config: `schedule`, `lr`, `warmup`, `epochs` and `cycles`.
    """
    warm = config.warmup * steps_per_epoch if config.schedule != "one_cycle" else 0.0
    if step < warm:
        return config.lr * min(1.0, (step + 1) / warm)
    done = (step - warm) / max(1.0, config.epochs * steps_per_epoch - warm)
    return config.lr * _SCHEDULES[config.schedule](done, config)


def _cosine(done: float, _: TrainConfig) -> float:
    """To zero (arXiv:1608.03983)."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _one_cycle(done: float, config: TrainConfig) -> float:
    """Up from a 25th over the first third, then down to nothing (arXiv:1708.07120)."""
    rise = 0.3
    if done < rise:
        return 1 / 25 + (1 - 1 / 25) * 0.5 * (1 - math.cos(math.pi * done / rise))
    return _cosine((done - rise) / (1 - rise), config)


def _restarts(done: float, config: TrainConfig) -> float:
    """Cosines one after another, each beginning at the peak again (arXiv:1608.03983)."""
    return _cosine(math.fmod(done * config.cycles + 1e-9, 1.0), config)  # a restart due now is not to be rounded away


def _constant(done: float, _: TrainConfig) -> float:
    return 1.0


_SCHEDULES: dict[str, Callable[[float, TrainConfig], float]] = {
    "cosine": _cosine,
    "one_cycle": _one_cycle,
    "restarts": _restarts,
    "constant": _constant,
}
