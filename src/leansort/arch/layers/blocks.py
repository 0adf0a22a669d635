"""The blocks that rows name. A block takes its input channels and the row's fields and says what it puts out.

Shapes: b batch, c channels, h height, w width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn

from leansort.arch.layers.branched_conv import BranchedConv, branch_kernels
from leansort.arch.layers.same_padding import SameConv2d

Padding = int | Literal["same"] | None

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "hardswish": lambda: nn.Hardswish(inplace=True),
    "silu": lambda: nn.SiLU(inplace=True),
    "gelu": nn.GELU,
    "leakyrelu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "elu": lambda: nn.ELU(inplace=True),
    "hardsigmoid": lambda: nn.Hardsigmoid(inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "none": nn.Identity,
}


class ConvBlock(nn.Sequential):
    """Convolution without bias, batch norm, activation.

    Args:
        cin: channels in.
        out: channels out.
        kernel: side of the kernel.
        stride: of the convolution.
        groups: of channels.
        act: activation.
        padding: zeros on every side; None: half the kernel; `same`: as many as TensorFlow adds, which at stride 2 and
            an even input is one more below and to the right; weights that were trained there need it.
        branches: 0 for a plain convolution. Else how often the whole kernel is trained, beside smaller ones and the
            input itself; the robot gets one convolution for all of them (`BranchedConv`).

    Raises:
        ValueError: branches with a padding of their own, or an even kernel.
    """

    def __init__(
        self,
        cin: int,
        out: int,
        kernel: int = 3,
        stride: int = 1,
        groups: int = 1,
        act: str = "relu",
        padding: Padding = None,
        branches: int = 0,
    ) -> None:
        if branches and padding is not None:
            raise ValueError(f"branches are padded by half the kernel, got padding {padding}; leave one of them out")
        several = len(branch_kernels(kernel, branches)) > 1 or (stride == 1 and cin == out)
        conv: list[nn.Module]
        if branches and several:
            conv = [BranchedConv(cin, out, kernel, stride, groups, branches)]
        else:
            conv = [_convolution(cin, out, kernel, stride, groups, padding), nn.BatchNorm2d(out)]
        super().__init__(*conv, *([] if act == "none" else [ACTIVATIONS[act]()]))


def _convolution(cin: int, out: int, kernel: int, stride: int, groups: int, padding: Padding) -> nn.Conv2d:
    """A convolution without bias; a plain one wherever it pads as TensorFlow does at every size of its input."""
    if padding == "same" and (stride > 1 or kernel % 2 == 0) and kernel > 1:
        return SameConv2d(cin, out, kernel, stride, groups=groups, bias=False)
    sides = padding if isinstance(padding, int) else kernel // 2
    return nn.Conv2d(cin, out, kernel, stride, sides, groups=groups, bias=False)


class Depthwise(ConvBlock):
    """A convolution in as many groups as both widths allow: their greatest common divisor."""

    def __init__(
        self,
        cin: int,
        out: int,
        kernel: int = 3,
        stride: int = 1,
        act: str = "relu",
        padding: Padding = None,
        branches: int = 0,
    ) -> None:
        super().__init__(cin, out, kernel, stride, math.gcd(cin, out), act, padding, branches)


class DropPath(nn.Module):
    """In training leave out the whole branch of a sample with probability `rate` (arXiv:1603.09382)."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = 0.0

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return (b, c, h, w), samples left out as zeros, the others scaled so that the mean stays."""
        if not self.training or self.rate == 0.0:
            return x_bchw
        kept = 1.0 - self.rate
        return x_bchw * (torch.rand(x_bchw.shape[0], 1, 1, 1, device=x_bchw.device) < kept) / kept


class Residual(nn.Module):
    """A body, added to its input where `residual`: both must then have one shape.

    Args:
        parts: of the body, in order.
        residual: whether the input is added.
    """

    def __init__(self, parts: Sequence[nn.Module], residual: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(*parts)
        self.residual = residual
        if residual:
            self.drop_path = DropPath()

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Map (b, cin, h, w) to (b, out, h/stride, w/stride)."""
        y_bchw = cast(Tensor, self.body(x_bchw))
        return x_bchw + cast(Tensor, self.drop_path(y_bchw)) if self.residual else y_bchw


class InvertedResidual(Residual):
    """1x1 expand, depthwise kxk, 1x1 linear projection; added to its input where shapes match (arXiv:1801.04381).

    Args:
        cin: channels in.
        out: channels out.
        expand: hidden channels are `cin * expand`; at 1 there is no expanding convolution.
        kernel: side of the depthwise kernel.
        stride: of the depthwise convolution.
        act: activation after the first two convolutions.
        padding: of the depthwise convolution.
        branches: of every convolution, see `ConvBlock`.
    """

    def __init__(
        self,
        cin: int,
        out: int,
        expand: float,
        kernel: int = 3,
        stride: int = 1,
        act: str = "relu6",
        padding: Padding = None,
        branches: int = 0,
    ) -> None:
        hidden = round(cin * expand)
        parts = [] if expand == 1 else [ConvBlock(cin, hidden, 1, act=act, branches=branches)]
        parts.append(ConvBlock(hidden, hidden, kernel, stride, hidden, act, padding, branches))
        project = ConvBlock(hidden, out, 1, act="none", branches=branches)
        super().__init__([*parts, project], stride == 1 and cin == out)


class Dense(nn.Sequential):
    """Linear layer with activation, (b, cin) to (b, out)."""

    def __init__(self, cin: int, out: int, act: str = "relu", bias: bool = True) -> None:
        super().__init__(nn.Linear(cin, out, bias=bias), ACTIVATIONS[act]())


class GlobalPool(nn.Module):
    """Mean over height and width: (b, c, h, w) to (b, c), or to (b, c, 1, 1) with `keep`."""

    def __init__(self, keep: bool = False) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the mean over the last two axes."""
        return x_bchw.mean(dim=(2, 3), keepdim=self.keep)
