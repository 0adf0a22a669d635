"""The chain of layers that stands for one factorized layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from leansort.arch.layers.same_padding import SameConv2d
from leansort.arch.spec.spec import Factorized


class Factors(nn.Sequential):
    """Layers in the place of one: a block that merges its own branches cannot know them."""


def convolution_like(layer: nn.Conv2d, cin: int, out: int, *, bias: bool, **change: Any) -> nn.Conv2d:
    """A convolution with other counts, and whatever else is given, that is otherwise like this one."""
    kind = SameConv2d if isinstance(layer, SameConv2d) else nn.Conv2d
    fields = {
        "kernel_size": layer.kernel_size,
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": 1,
        "padding_mode": layer.padding_mode,
    } | change
    return kind(cin, out, bias=bias, **fields)


def build_factor_chain(layer: nn.Module, how: Factorized) -> Factors:
    """The chain of layers that stands for one factorized layer; weights are as PyTorch draws them.

    Of a convolution of several groups each layer of the chain has these groups (depthwise ones: a multiple), and each
    group has the ranks that are given.

    Args:
        layer: a linear layer or a convolution that is not depthwise.
        how: method and ranks.

    Raises:
        ValueError: the layer, the method and the ranks do not fit together.
    """
    if isinstance(layer, nn.Linear):
        if how.method != "svd" or len(how.ranks) != 1:
            raise ValueError(f"a linear layer takes svd with one rank, got {how.method} with {len(how.ranks)}")
        last = nn.Linear(how.ranks[0], layer.out_features, bias=layer.bias is not None)
        return Factors(nn.Linear(layer.in_features, how.ranks[0], bias=False), last)
    if not isinstance(layer, nn.Conv2d):
        raise ValueError(f"need a linear layer or a convolution, got {type(layer).__name__}")
    if layer.groups == layer.in_channels > 1:
        raise ValueError(f"need a convolution that is not depthwise, got {layer.groups} groups of one channel")
    return Factors(*_CONVOLUTIONS[how.method](layer, how.ranks))


def _first(layer: nn.Conv2d, rank: int) -> nn.Conv2d:
    return nn.Conv2d(layer.in_channels, layer.groups * rank, 1, groups=layer.groups, bias=False)


def _last(layer: nn.Conv2d, rank: int) -> nn.Conv2d:
    return nn.Conv2d(layer.groups * rank, layer.out_channels, 1, groups=layer.groups, bias=layer.bias is not None)


def _tucker(layer: nn.Conv2d, ranks: tuple[int, ...]) -> list[nn.Module]:
    if len(ranks) != 2:
        raise ValueError(f"tucker takes two ranks, got {len(ranks)}")
    groups = layer.groups
    core = convolution_like(layer, groups * ranks[0], groups * ranks[1], bias=False, groups=groups)
    return [_first(layer, ranks[0]), core, _last(layer, ranks[1])]


def _cp(layer: nn.Conv2d, ranks: tuple[int, ...]) -> list[nn.Module]:
    if len(ranks) != 1:
        raise ValueError(f"cp takes one rank, got {len(ranks)}")
    width = layer.groups * ranks[0]
    (kh, kw), (sh, sw), (dh, dw) = layer.kernel_size, layer.stride, layer.dilation
    # A padding in words ("same") means the right thing for each axis alone.
    ph, pw = (layer.padding,) * 2 if isinstance(layer.padding, str) else ((layer.padding[0], 0), (0, layer.padding[1]))
    high = convolution_like(
        layer, width, width, bias=False, kernel_size=(kh, 1), stride=(sh, 1), padding=ph, dilation=(dh, 1), groups=width
    )
    wide = convolution_like(
        layer, width, width, bias=False, kernel_size=(1, kw), stride=(1, sw), padding=pw, dilation=(1, dw), groups=width
    )
    return [_first(layer, ranks[0]), high, wide, _last(layer, ranks[0])]


def _svd(layer: nn.Conv2d, ranks: tuple[int, ...]) -> list[nn.Module]:
    if len(ranks) != 1 or layer.kernel_size != (1, 1):
        raise ValueError(f"svd takes a 1x1 convolution and one rank, got {layer.kernel_size} and {len(ranks)}")
    first = convolution_like(layer, layer.in_channels, layer.groups * ranks[0], bias=False, groups=layer.groups)
    return [first, _last(layer, ranks[0])]


_CONVOLUTIONS: dict[str, Callable[[nn.Conv2d, tuple[int, ...]], list[nn.Module]]] = {
    "tucker": _tucker,
    "cp": _cp,
    "svd": _svd,
}
