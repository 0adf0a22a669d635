"""Settings of batch norms, and what they do where a batch holds one value a channel."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from leansort.arch.spec.spec import Norm


def set_norms(model: nn.Module, norm: Norm) -> None:
    """Give every batch norm the momentum and epsilon that are set; in place."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = module.momentum if norm.momentum is None else norm.momentum
            module.eps = module.eps if norm.eps is None else norm.eps


def guard_norms(model: nn.Module) -> nn.Module:
    """Let batch norms train on a single crop; in place.

    One value a channel (a batch of one behind global pooling) has no variance, and PyTorch refuses it. Such a batch is
    normalized by the running statistics instead, which it leaves alone.
    """
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.register_forward_pre_hook(_before)
            module.register_forward_hook(_after)
    return model


def _before(module: nn.Module, given: tuple[Any, ...]) -> None:
    if module.training and given[0].numel() == given[0].shape[1]:
        module.training = False
        module.alone = True  # type: ignore[assignment]


def _after(module: nn.Module, given: tuple[Any, ...], out: Any) -> None:
    if getattr(module, "alone", False):
        module.training = True
        module.alone = False  # type: ignore[assignment]
