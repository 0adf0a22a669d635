"""Convolutions and pooling that pad as TensorFlow does: as many zeros as the input's size asks for, the odd one last.

timm's own layers compute the zeros in ways that a symbolic trace and TorchScript cannot follow, so they are replaced.
These compute them with plain numbers from the shape they are given: right at every size that training uses, and a
constant in every graph for the robot.
"""

from __future__ import annotations

import math
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional


class SameConv2d(nn.Conv2d):
    """A convolution whose output has the size of the input over the stride, rounded up."""

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Pad and convolve; (b, in, h, w) to (b, out, ⌈h / stride⌉, ⌈w / stride⌉)."""
        return super().forward(_pad(x_bchw, self, 0.0))


class SameMaxPool2d(nn.MaxPool2d):
    """Max pooling of the same kind; what is padded is never the largest."""

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Pad and pool; (b, c, h, w) to (b, c, ⌈h / stride⌉, ⌈w / stride⌉)."""
        return cast(Tensor, super().forward(_pad(x_bchw, self, -math.inf)))


class SameAvgPool2d(nn.AvgPool2d):
    """Average pooling of the same kind; the zeros count."""

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Pad and pool; (b, c, h, w) to (b, c, ⌈h / stride⌉, ⌈w / stride⌉)."""
        return super().forward(_pad(x_bchw, self, 0.0))


LAYERS = (SameConv2d, SameMaxPool2d, SameAvgPool2d)


def pads(layer: Any, height: int, width: int) -> tuple[int, int, int, int]:
    """Rows and columns of zeros at the top, left, bottom and right that such a layer adds to an input of a size."""
    kernel, stride, dilation = (_pair(getattr(layer, name, 1)) for name in ("kernel_size", "stride", "dilation"))
    rows, columns = (
        max(0, (math.ceil(side / s) - 1) * s + (k - 1) * d + 1 - side)
        for side, k, s, d in zip((height, width), kernel, stride, dilation, strict=True)
    )
    return rows // 2, columns // 2, rows - rows // 2, columns - columns // 2


def replace_layers(network: nn.Module, kinds: dict[type[nn.Module], type[nn.Module]]) -> nn.Module:
    """Give every layer of some library's kinds the own kind that computes the same; in place, tensors are kept.

    Args:
        network: the network.
        kinds: the own kind for each, of exactly these types: a kind derived from one computes something else.
    """
    for layer in network.modules():
        if type(layer) in kinds:
            layer.__class__ = kinds[type(layer)]
    return network


def _pad(x_bchw: Tensor, layer: nn.Module, value: float) -> Tensor:
    top, left, bottom, right = pads(layer, int(x_bchw.shape[-2]), int(x_bchw.shape[-1]))
    if not (top or left or bottom or right):
        return x_bchw
    return functional.pad(x_bchw, (left, right, top, bottom), value=value)


def _pair(value: Any) -> tuple[int, int]:
    return (int(value[0]), int(value[1])) if isinstance(value, tuple | list) else (int(value), int(value))
