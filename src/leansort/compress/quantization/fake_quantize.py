"""Int8 arithmetic imitated in float, so that a network can learn to live with it (arXiv:1712.05877).

As in the graphs for the robot: weights symmetric and per output channel, in as many of their bits as the graph will
use, activations unsigned and per tensor, both rounded in front of every convolution and linear layer. Gradients pass
as if nothing were rounded, within the range.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

MOMENTUM = 0.05  # of the ranges, a batch
WeightBits = Literal[7, 8]
MOST: dict[WeightBits, int] = {7: 64, 8: 127}  # steps to the largest weight, as ONNX Runtime's tools count them


class Int8Weights(nn.Module):
    """A weight (out, …) as int8 per output channel would hold it."""

    def __init__(self, bits: WeightBits = 7) -> None:
        super().__init__()
        self.most = MOST[bits]

    def forward(self, weight: Tensor) -> Tensor:
        """Round it."""
        scale = (weight.detach().abs().flatten(1).amax(1) / self.most).clamp(min=1e-12)
        zero = torch.zeros(len(scale), dtype=torch.int32, device=weight.device)
        rounded: Tensor = torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -self.most, self.most)
        return rounded


class Uint8Activations(nn.Module):
    """An activation as uint8 would hold it; its range follows what is seen in training."""

    low: Tensor
    high: Tensor
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Round it; unchanged where no range was seen yet."""
        if self.training:
            self._follow(x.detach())
        if not self.seen:
            return x
        scale = ((self.high - self.low) / 255).clamp(min=1e-12)
        zero = (-self.low / scale).round().clamp(0, 255).to(torch.int32)
        rounded: Tensor = torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, 255)
        return rounded

    def _follow(self, x: Tensor) -> None:
        weight = MOMENTUM if self.seen else 1.0
        self.low.lerp_(x.amin().clamp(max=0).float(), weight)
        self.high.lerp_(x.amax().clamp(min=0).float(), weight)
        self.seen += 1


def _round_input(layer: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    rounding: Any = layer.int8_input
    return (rounding(given[0]), *given[1:])


def insert_fake_quantize(
    network: nn.Module, names: Collection[str] | None = None, *, weight_bits: WeightBits = 7
) -> nn.Module:
    """Make convolutions and linear layers round their inputs and weights; in place.

    Args:
        network: batch norms should be folded, or they would undo the rounding.
        names: which layers; None: all.
        weight_bits: of the weights' eight bits that are used.
    """
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear) and (names is None or name in names):
            parametrize.register_parametrization(layer, "weight", Int8Weights(weight_bits))
            layer.int8_input = Uint8Activations()
            layer.register_forward_pre_hook(_round_input)
    return network


def calibrate_ranges(network: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """Find the ranges of a prepared network on normalized (b, 3, h, w) batches; in evaluation mode otherwise."""
    network.eval()
    ranges = [module for module in network.modules() if isinstance(module, Uint8Activations)]
    for item in ranges:
        item.train()
    with torch.no_grad():
        for x_bchw in batches:
            network(x_bchw)
    return network.eval()


def remove_fake_quantize(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a prepared network under their own names, not rounded, without ranges."""
    mark = ".parametrizations.weight.original"
    return {name.replace(mark, ".weight"): value for name, value in weights.items() if ".int8_input." not in name}
