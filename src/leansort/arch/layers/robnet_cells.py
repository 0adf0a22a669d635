"""RobNet: cell networks found for robustness (arXiv:1911.10695). A cell is data, 14 codes of two bits.

What the published counts settle, to the unit (`tests/golden/test_robnet.py`):
  - a code's first bit is an identity, its second a separable convolution; `11` sums both, at stride 2 too, where the
    identity is a factorized reduction;
  - no batch norm of a cell has weights, those of the preprocessing and of factorized reductions included; those of
    the stem do;
  - a factorized reduction is ReLU, two 1x1 convolutions of stride 2 to half of the channels each, and batch norm.
What they do not settle follows the authors' code: the second convolution of a factorized reduction takes the image
shifted by a pixel, the stride is in the first depthwise convolution. Beyond it is our choice: the shifted image has
a zero border where a side is odd; what nobody reads is not built (an input that no edge reads, a cell that no
later one reads), and a node without edges is zeros. The head pools globally, whatever the size of the image.

ReLUs that read a state are never in place: other edges read the same tensor. Weights are PyTorch's defaults here;
`build` draws its own.

Shapes: b batch, c channels, h height, w width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leansort.arch.layers.blocks import GlobalPool
from leansort.core.errors import UserError

Codes = tuple[str, ...]
Genotype = tuple[Codes, ...]
CODES = ("00", "01", "10", "11")
_NODES = ((0, 2), (2, 5), (5, 9), (9, 14))  # first code of each inner node and the one behind its last


def genotype_faults(genotype: Sequence[Sequence[str]], layers: int) -> list[str]:
    """Everything that is wrong with a genotype for so many cells, one line each."""
    result = []
    if len(genotype) not in (1, layers):
        result.append(f"got {len(genotype)} cells, need 1 for all or {layers}, one for each of the layers")
    for i, codes in enumerate(genotype, 1):
        if len(codes) != _NODES[-1][1]:
            result.append(f"cell {i}: got {len(codes)} codes, need {_NODES[-1][1]}")
        unknown = [f"cell {i}, code {j}: got {code!r}" for j, code in enumerate(codes, 1) if code not in CODES]
        result += [f"{item}, allowed: {', '.join(CODES)}" for item in unknown]
    return result


class SeparableConv(nn.Sequential):
    """Twice ReLU, depthwise 3x3, 1x1, batch norm: (b, c, h, w) to (b, c, h/stride, w/stride), rounded up."""

    def __init__(self, width: int, stride: int = 1) -> None:
        parts: list[nn.Module] = []
        for step, own in ((stride, False), (1, True)):  # the second ReLU alone reads what it overwrites
            parts += [nn.ReLU(inplace=own), nn.Conv2d(width, width, 3, step, 1, groups=width, bias=False)]
            parts += _pointwise(width, width)
        super().__init__(*parts)


class FactorizedReduction(nn.Module):
    """ReLU, 1x1 convolutions on two grids of every second pixel, one shifted by a pixel both ways, batch norm.

    Args:
        cin: channels in.
        out: channels out, one half from each grid.
    """

    def __init__(self, cin: int, out: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        # A batch norm for each half does what one behind both would do, and can be folded into its convolution.
        self.halves = nn.ModuleList(_pointwise(cin, part) for part in (out // 2, out - out // 2))

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Map (b, cin, h, w) to (b, out, h/2, w/2), rounded up."""
        x_bchw = self.relu(x_bchw)
        # Grids are cut out in front of the convolutions: the weight gradient of a strided 1x1 convolution corrupts
        # memory (torch 2.13 on CPU, channels last, 4-12 channels in, 64 px up). The border is read only where a
        # side is odd; a condition on the shape could not be traced.
        grids = x_bchw[:, :, ::2, ::2], F.pad(x_bchw, (0, 1, 0, 1))[:, :, 1::2, 1::2]
        return torch.cat([half(grid) for half, grid in zip(self.halves, grids, strict=True)], 1)


class Node(nn.Module):
    """The sum of what its edges make of the states before it; without edges zeros.

    Args:
        codes: one for each state before it.
        width: channels, in and out.
        stride: of the edges from the cell's two inputs.
    """

    def __init__(self, codes: Sequence[str], width: int, stride: int) -> None:
        super().__init__()
        self.edges, self.sources, self.stride = nn.ModuleList(), list[int](), stride
        for j, code in enumerate(codes):
            step = stride if j < 2 else 1
            if code[1] == "1":
                self.edges.append(SeparableConv(width, step))
            if code[0] == "1":
                self.edges.append(FactorizedReduction(width, width) if step == 2 else nn.Identity())
            self.sources += [j] * (len(self.edges) - len(self.sources))

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """Map (b, c, h, w) of the two inputs and (b, c, h/stride, w/stride) of the nodes before to the latter."""
        if not self.sources:  # a product keeps shape, type and device of the state, also when traced
            return states[1][:, :, :: self.stride, :: self.stride] * 0.0
        first, *more = (edge(states[j]) for j, edge in zip(self.sources, self.edges, strict=True))
        return cast(Tensor, sum(more, start=first))


def input_read_by(codes: Sequence[str], which: int) -> bool:
    """Whether a cell reads its older (0) or newer (1) input; from the newer one a node without edges has its shape."""
    nodes = [codes[start:stop] for start, stop in _NODES]
    return any(node[which] != "00" or (which == 1 and set(node) == {"00"}) for node in nodes)


class Cell(nn.Module):
    """Four nodes on top of two preprocessed inputs; puts out the nodes, concatenated.

    Args:
        codes: 14, the edges of the first node, then of the second, ...
        older: channels of the older input.
        newer: channels of the newer input.
        width: channels of a node.
        reduction: whether it halves height and width.
        shrunk: whether the newer input has half of the older one's height and width.
    """

    def __init__(
        self, codes: Sequence[str], older: int, newer: int, width: int, *, reduction: bool, shrunk: bool
    ) -> None:
        super().__init__()
        self.older: nn.Module = nn.Identity()
        if input_read_by(codes, 0):
            self.older = FactorizedReduction(older, width) if shrunk else _preprocess(older, width)
        self.newer = _preprocess(newer, width) if input_read_by(codes, 1) else nn.Identity()
        self.nodes = nn.ModuleList(Node(codes[start:stop], width, 1 + reduction) for start, stop in _NODES)

    def forward(self, older_bchw: Tensor, newer_bchw: Tensor) -> Tensor:
        """Map (b, older, h, w), twice that size if shrunk, and (b, newer, h, w) to (b, 4 width, h, w) or half."""
        states = [self.older(older_bchw), self.newer(newer_bchw)]
        for node in self.nodes:
            states.append(node(states))
        return torch.cat(states[2:], 1)


class UnreadCell(nn.Module):
    """Stands where no later cell reads a cell."""

    def forward(self, _older_bchw: Tensor, newer_bchw: Tensor) -> Tensor:
        """Return any tensor: nobody reads it."""
        return newer_bchw


def _pointwise(cin: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(cin, out, 1, bias=False), nn.BatchNorm2d(out, affine=False))


def _preprocess(cin: int, width: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), *_pointwise(cin, width))


def _conv(cin: int, out: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(cin, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)]


def _alive(cells: Genotype) -> list[bool]:
    """Whether the older stem, the newer stem and each cell reach the head."""
    alive = [False] * (len(cells) + 1) + [True]
    for i, codes in reversed(list(enumerate(cells))):
        for which in (0, 1):
            alive[i + which] |= alive[i + 2] and input_read_by(codes, which)
    return alive


class RobNet(nn.Module):
    """The network: stem, cells, global average pool, linear (arXiv:1911.10695).

    Args:
        classes: outputs.
        channels: of a node in the first cells; doubled at each of the two reduction cells.
        layers: number of cells.
        genotype: the codes of one cell for all, or of every cell.
        stem: `small` keeps height and width (32 px images), `large` divides them by 8 (224 px).
        dropout: in front of the linear layer.

    Raises:
        UserError: the genotype has a wrong number of cells or codes, or an unknown code.
    """

    def __init__(
        self,
        *,
        classes: int,
        channels: int = 36,
        layers: int = 20,
        genotype: Genotype,
        stem: Literal["small", "large"] = "small",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if wrong := genotype_faults(genotype, layers):
            raise UserError(f"genotype: {'; '.join(wrong)}")
        cells = genotype * layers if len(genotype) == 1 else genotype
        self.stem, self.deeper = nn.Sequential(*_conv(3, 3 * channels, 1)), nn.Sequential()
        if stem == "large":
            half = channels // 2
            self.stem = nn.Sequential(*_conv(3, half, 2), nn.ReLU(inplace=True), *_conv(half, channels, 2))
            self.deeper = nn.Sequential(*([nn.ReLU(), *_conv(channels, channels, 2)] if _alive(cells)[1] else []))
        self.cells, out = _cells(cells, channels, stem == "large")
        self.head = nn.Sequential(GlobalPool(), *([nn.Dropout(dropout)] if dropout else []), nn.Linear(out, classes))

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Map (b, 3, h, w) to (b, classes)."""
        older_bchw = self.stem(x_bchw)
        newer_bchw = self.deeper(older_bchw)
        for cell in self.cells:
            older_bchw, newer_bchw = newer_bchw, cell(older_bchw, newer_bchw)
        return cast(Tensor, self.head(newer_bchw))


def _cells(cells: Genotype, channels: int, large: bool) -> tuple[nn.ModuleList, int]:
    """Make the cells; return them and the channels that the last one puts out."""
    made, width, shrunk = nn.ModuleList(), channels, large
    older = newer = channels if large else 3 * channels
    for i, (codes, alive) in enumerate(zip(cells, _alive(cells)[2:], strict=True)):
        reduction = i in (len(cells) // 3, 2 * len(cells) // 3)
        width *= 1 + reduction
        made.append(Cell(codes, older, newer, width, reduction=reduction, shrunk=shrunk) if alive else UnreadCell())
        older, newer, shrunk = newer, 4 * width, reduction
    return made, newer
