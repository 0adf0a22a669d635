"""Optimizers, their weights in groups of one learning rate and one weight decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from leansort.arch.workarounds.torchvision_import import import_torchvision
from leansort.core.errors import UserError, did_you_mean
from leansort.train.train_config import TrainConfig

TIMM = "timm:"


def build_optimizer(
    model: nn.Module, config: TrainConfig, scales: Mapping[int, float] | None = None
) -> torch.optim.Optimizer:
    """The recipe's optimizer; one-dimensional parameters (biases, batch norms) do not decay.

    Args:
        model: whose weights it changes.
        config: the recipe's `train` section.
        scales: factors of the learning rate by the `id` of a weight; all others have 1.

    Returns:
        An optimizer whose groups say their factor as `lr_scale`, as timm's do: whoever sets `lr` multiplies by it.

    Raises:
        UserError: timm has no optimizer of that name.
        MissingExtraError: timm is asked for and not installed.
    """
    groups = _groups(model, config, scales or {})
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr)  # arXiv:1711.05101
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0)
    return _of_timm(groups, config, next(model.parameters()).device)


def _groups(model: nn.Module, config: TrainConfig, scales: Mapping[int, float]) -> list[dict[str, Any]]:
    weights: dict[tuple[float, bool], list[nn.Parameter]] = {(1.0, True): [], (1.0, False): []}
    for decays in (True, False):
        for weight in (each for each in model.parameters() if (each.ndim > 1) is decays):
            weights.setdefault((scales.get(id(weight), 1.0), decays), []).append(weight)
    return [
        {"params": group, "weight_decay": config.weight_decay * decays, "lr": config.lr * scale, "lr_scale": scale}
        for (scale, decays), group in weights.items()
    ]


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
