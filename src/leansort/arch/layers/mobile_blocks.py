"""Blocks of the mobile networks: squeeze-and-excitation, MobileNetV3's and EfficientNet's inverted residuals.

Shapes: b batch, c channels, h height, w width.
"""

from __future__ import annotations

from typing import Literal, cast

from torch import Tensor, nn

from leansort.arch.layers.blocks import ACTIVATIONS, ConvBlock, Padding, Residual


def make_divisible(value: float, divisor: int = 8) -> int:
    """Round channels to a multiple of `divisor`, never down by more than 10 % (arXiv:1801.04381)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


class SqueezeExcite(nn.Module):
    """Weigh channels by what a small network makes of their means (arXiv:1709.01507).

    Args:
        channels: in and out.
        squeezed: in between.
        act: between the two convolutions.
        gate: `hardsigmoid` or `sigmoid`, after them.
    """

    def __init__(self, channels: int, squeezed: int, act: str = "relu", gate: str = "hardsigmoid") -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.act = ACTIVATIONS[act]()
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Sigmoid() if gate == "sigmoid" else nn.Hardsigmoid()

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return (b, c, h, w), every channel times its gate."""
        mean_bc11 = x_bchw.mean(dim=(2, 3), keepdim=True)
        return x_bchw * cast(Tensor, self.gate(self.expand(self.act(self.reduce(mean_bc11)))))


Style = Literal["v3", "v3_early", "moga", "efficient"]


class MobileResidual(Residual):
    """Inverted residual with optional squeeze-and-excitation; added to its input where shapes match.

    Args:
        cin: channels in.
        out: channels out.
        expand: hidden channels are `cin * expand`, made divisible by 8 in `v3`.
        kernel: side of the depthwise kernel.
        stride: of the depthwise convolution.
        se: whether channels are weighed.
        act: activation after the first two convolutions.
        style: `v3` (MobileNetV3, arXiv:1905.02244: squeeze to a quarter, made divisible, after the activation as its
            authors' code has it), `v3_early` (before the activation where there is an expanding convolution, as row
            files of other tools have it), `moga` (arXiv:1908.01314: squeeze to a quarter, after the
            activation, the block's activation inside) or `efficient` (arXiv:1905.11946: squeeze to a quarter of the
            channels in, after the activation, sigmoid gate).
        padding: of the depthwise convolution.
    """

    def __init__(
        self,
        cin: int,
        out: int,
        expand: float,
        kernel: int = 3,
        stride: int = 1,
        se: bool = False,
        act: str = "relu",
        style: Style = "v3",
        padding: Padding = None,
    ) -> None:
        rounds = style in ("v3", "v3_early")
        hidden = make_divisible(cin * expand) if rounds else round(cin * expand)
        widens = hidden != cin if rounds else expand != 1
        weigh = [_squeeze(style, cin, hidden, act)] if se else []
        early = bool(weigh) and widens and style == "v3_early"
        parts: list[nn.Module] = [ConvBlock(cin, hidden, 1, act=act)] if widens else []
        parts.append(ConvBlock(hidden, hidden, kernel, stride, hidden, "none" if early else act, padding))
        parts += [*weigh, ACTIVATIONS[act]()] if early else weigh
        super().__init__([*parts, ConvBlock(hidden, out, 1, act="none")], stride == 1 and cin == out)


def _squeeze(style: Style, cin: int, hidden: int, act: str) -> SqueezeExcite:
    if style == "efficient":
        return SqueezeExcite(hidden, max(1, cin // 4), act, "sigmoid")
    if style == "moga":
        return SqueezeExcite(hidden, hidden // 4, act)
    return SqueezeExcite(hidden, make_divisible(hidden // 4), "relu")


class SeparableBlock(nn.Sequential):
    """Depthwise kxk with activation, then 1x1 without (arXiv:1704.04861); never added to its input."""

    def __init__(
        self, cin: int, out: int, kernel: int = 3, stride: int = 1, act: str = "relu", padding: Padding = None
    ) -> None:
        depthwise = ConvBlock(cin, cin, kernel, stride, cin, act, padding)
        super().__init__(depthwise, ConvBlock(cin, out, 1, act="none"))


class Bottleneck(Residual):
    """1x1 to a narrower width, 3x3 back; added to its input where widths match and `shortcut` (arXiv:1512.03385)."""

    def __init__(
        self,
        cin: int,
        out: int,
        stride: int = 1,
        shortcut: bool = True,
        groups: int = 1,
        expand: float = 0.5,
        act: str = "relu",
    ) -> None:
        hidden = int(out * expand)
        parts = [ConvBlock(cin, hidden, 1, act=act), ConvBlock(hidden, out, 3, stride, groups=groups, act="relu")]
        super().__init__(parts, shortcut and cin == out and stride == 1)


class UniversalInvertedBottleneck(Residual):
    """MobileNetV4's universal inverted bottleneck: up to two depthwise convolutions (arXiv:2404.10518).

    Args:
        cin: channels in.
        out: channels out.
        expand: hidden channels are `cin * expand`, made divisible by 8.
        start: side of the depthwise kernel in front of the expansion, without activation; 0 leaves it out.
        middle: side of the depthwise kernel behind the expansion; 0 leaves it out.
        stride: of the last depthwise convolution there is.
        act: activation inside.
        padding: of the depthwise convolutions.
        branches: of every convolution, see `ConvBlock`.
    """

    def __init__(
        self,
        cin: int,
        out: int,
        expand: float,
        start: int = 0,
        middle: int = 3,
        stride: int = 1,
        act: str = "relu",
        padding: Padding = None,
        branches: int = 0,
    ) -> None:
        hidden = make_divisible(cin * expand)
        parts: list[nn.Module] = []
        if start:
            parts.append(ConvBlock(cin, cin, start, 1 if middle else stride, cin, "none", padding, branches))
        parts.append(ConvBlock(cin, hidden, 1, act=act, branches=branches))
        if middle:
            parts.append(ConvBlock(hidden, hidden, middle, stride, hidden, act, padding, branches))
        project = ConvBlock(hidden, out, 1, act="none", branches=branches)
        super().__init__([*parts, project], stride == 1 and cin == out)
