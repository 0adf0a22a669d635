"""StarNet's block (arXiv:2403.19967), with batch norms behind every convolution, so that int8 engines run it.

Shapes: b batch, c channels, h height, w width.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from leansort.arch.layers.blocks import ConvBlock, Residual
from leansort.arch.layers.mobile_blocks import make_divisible


class StarProduct(nn.Module):
    """Two 1x1 convolutions of one input, one of them with an activation, multiplied element by element."""

    def __init__(self, cin: int, out: int, act: str) -> None:
        super().__init__()
        self.gate, self.value = ConvBlock(cin, out, 1, act=act), ConvBlock(cin, out, 1, act="none")

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Map (b, cin, h, w) to (b, out, h, w)."""
        return cast(Tensor, self.gate(x_bchw) * self.value(x_bchw))


class StarBlock(Residual):
    """Depthwise kxk, the product of two 1x1 convolutions, 1x1 projection (StarNet, arXiv:2403.19967).

    A product of two linear maps sees products of channels, as if the network were far wider. Added to its input where
    shapes match.

    Args:
        cin: channels in.
        out: channels out.
        expand: hidden channels are `cin * expand`, made divisible by 8.
        kernel: side of the depthwise kernel in front.
        last: side of a depthwise kernel behind the projection, which the authors have as large as the first; 0 leaves
            it out.
        stride: of the depthwise convolution in front.
        act: activation of one of the two factors.
        branches: of the depthwise convolutions, see `ConvBlock`.
    """

    def __init__(
        self,
        cin: int,
        out: int,
        expand: float,
        kernel: int = 7,
        last: int = 0,
        stride: int = 1,
        act: str = "relu6",
        branches: int = 0,
    ) -> None:
        hidden = make_divisible(cin * expand)
        start = ConvBlock(cin, cin, kernel, stride, cin, "none", branches=branches)
        parts = [start, StarProduct(cin, hidden, act), ConvBlock(hidden, out, 1, act="none")]
        if last:
            parts.append(ConvBlock(out, out, last, groups=out, act="none", branches=branches))
        super().__init__(parts, stride == 1 and cin == out)
