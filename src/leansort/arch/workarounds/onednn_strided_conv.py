"""Strided 1x1 convolutions that train on few channels without corrupting memory.

The weight gradient that oneDNN, as PyTorch 2.13 brings it, computes on a CPU for a 1x1 convolution with a stride, one
group and fewer than 16 channels in, where the image or the weights lie channels-last, writes past the end of its
memory: the process dies at once, or much later and elsewhere. Cutting out the pixels first gives the same numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_SAFE = 16  # channels in; from here on the gradient stays within its memory, at any size


def guard_strided(model: nn.Module) -> nn.Module:
    """Let such convolutions read every stride-th row and column, wherever a gradient is to be taken; in place."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and _is_dangerous(module):
            module.register_forward_pre_hook(_before)
            module.register_forward_hook(_after, always_call=True)
    return model


def _is_dangerous(conv: nn.Conv2d) -> bool:
    alone = conv.kernel_size == (1, 1) and conv.groups == 1 and conv.in_channels < _SAFE
    return alone and max(conv.stride) > 1 and conv.padding in ((0, 0), 0, "valid")


def _before(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
    if not torch.is_grad_enabled():  # graphs for the robot keep the stride
        return None
    down, right = module.whole_stride = module.stride  # type: ignore[misc]
    module.stride = (1, 1)  # type: ignore[assignment]
    return (given[0][..., ::down, ::right], *given[1:])


def _after(module: nn.Module, given: tuple[Any, ...], out: Any) -> None:
    if hasattr(module, "whole_stride"):
        module.stride = module.whole_stride
        del module.whole_stride
