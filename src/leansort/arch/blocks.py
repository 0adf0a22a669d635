"""The blocks that rows name. A block takes its input channels and the row's fields and says what it puts out.

Shapes: b batch, c channels, h height, w width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

from torch import Tensor, nn

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
    """Convolution without bias, batch norm, activation. Padding None keeps the size at stride 1, for odd kernels."""

    def __init__(
        self, cin: int, out: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: str = "relu",
        padding: int | None = None,
    ) -> None:  # fmt: skip
        sides = kernel // 2 if padding is None else padding
        conv = nn.Conv2d(cin, out, kernel, stride, sides, groups=groups, bias=False)
        parts = [conv, nn.BatchNorm2d(out)]
        super().__init__(*parts, *([] if act == "none" else [ACTIVATIONS[act]()]))


class Depthwise(ConvBlock):
    """A convolution in as many groups as both widths allow: their greatest common divisor."""

    def __init__(
        self, cin: int, out: int, kernel: int = 3, stride: int = 1, act: str = "relu", padding: int | None = None
    ) -> None:
        super().__init__(cin, out, kernel, stride, math.gcd(cin, out), act, padding)


class InvertedResidual(nn.Module):
    """1x1 expand, depthwise kxk, 1x1 linear projection; added to its input where shapes match (arXiv:1801.04381).

    Args:
        cin: channels in.
        out: channels out.
        expand: hidden channels are `cin * expand`; at 1 there is no expanding convolution.
        kernel: side of the depthwise kernel.
        stride: of the depthwise convolution.
        act: activation after the first two convolutions.
    """

    def __init__(self, cin: int, out: int, expand: float, kernel: int = 3, stride: int = 1, act: str = "relu6") -> None:
        super().__init__()
        hidden = round(cin * expand)
        parts = [] if expand == 1 else [ConvBlock(cin, hidden, 1, act=act)]
        parts.append(ConvBlock(hidden, hidden, kernel, stride, groups=hidden, act=act))
        self.body = nn.Sequential(*parts, ConvBlock(hidden, out, 1, act="none"))
        self.residual = stride == 1 and cin == out

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Map (b, cin, h, w) to (b, out, h/stride, w/stride)."""
        y_bchw = cast(Tensor, self.body(x_bchw))
        return x_bchw + y_bchw if self.residual else y_bchw


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


def initialize(model: nn.Module) -> None:
    """Draw weights: He normal over the fan-out for convolutions, unit batch norms, a classifier of zeros.

    With zeros the first loss is log(classes) exactly; a random classifier on 1280 features starts far above it
    and the first steps only undo that.
    """
    last = None
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            last = module
    if last is not None:
        nn.init.zeros_(last.weight)
