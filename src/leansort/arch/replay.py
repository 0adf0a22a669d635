"""Edits of an ArchSpec, made to a network: they set shapes, and strict loading then sets the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from leansort.arch.archspec import Edit, Factorize, Factorized, FuseBatchNorm, Remove, Resize
from leansort.arch.fusing import fuse
from leansort.core.errors import UserError


def replay(model: nn.Module, edits: tuple[Edit, ...]) -> nn.Module:
    """Make the edits in order, in place.

    Raises:
        UserError: an edit names a layer that is not there, or of a kind it cannot change.
    """
    for edit in edits:
        if isinstance(edit, FuseBatchNorm):
            fuse(model)
        elif isinstance(edit, Resize):
            _each(model, edit.op, edit.layers, _resized)
        elif isinstance(edit, Factorize):
            _each(model, edit.op, edit.layers, factors)
        elif isinstance(edit, Remove):
            _each(model, edit.op, dict.fromkeys(edit.layers), lambda _layer, _given: nn.Identity())
    return model


def _each(model: nn.Module, op: str, layers: dict[str, Any], make: Callable[[Any, Any], nn.Module]) -> None:
    for name, given in layers.items():
        try:
            layer = model.get_submodule(name)
            made = make(layer, given)
        except AttributeError:
            raise UserError(f"edit {op}: there is no layer {name!r}") from None
        except ValueError as error:
            raise UserError(f"edit {op}: {name}: {error}") from None
        model.set_submodule(name, made.train(layer.training))


def _resized(layer: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
    cin, out, groups = shape
    if isinstance(layer, nn.Conv2d):
        made = _conv(layer, cin, out, groups=groups, bias=layer.bias is not None)
        return made if type(layer) is nn.Conv2d else _resized_kind(layer, made)
    if isinstance(layer, nn.Linear):
        return nn.Linear(cin, out, bias=layer.bias is not None)
    if isinstance(layer, _BatchNorm):  # its own kind may carry an activation: only the tensors change
        return _resized_norm(layer, out)
    raise ValueError(f"is a {type(layer).__name__}, need a convolution, linear layer or batch norm")


def _resized_kind(layer: nn.Conv2d, made: nn.Conv2d) -> nn.Conv2d:
    """A convolution of a kind of its own, such as those of timm that pad as TensorFlow does, with another's counts."""
    layer.in_channels, layer.out_channels, layer.groups = made.in_channels, made.out_channels, made.groups
    layer.weight, layer.bias = made.weight, made.bias
    return layer


def _resized_norm(norm: _BatchNorm, channels: int) -> nn.Module:
    for tensors in (norm._parameters, norm._buffers):
        for name, tensor in tensors.items():
            if tensor is not None and tensor.ndim == 1:
                fresh = tensor.data.new_full((channels,), 1.0 if name in ("weight", "running_var") else 0.0)
                tensors[name] = nn.Parameter(fresh) if tensors is norm._parameters else fresh  # type: ignore[assignment]
    norm.num_features = channels
    return norm


def _conv(layer: nn.Conv2d, cin: int, out: int, *, bias: bool, **change: Any) -> nn.Conv2d:
    fields = {
        "kernel_size": layer.kernel_size, "stride": layer.stride, "padding": layer.padding,
        "dilation": layer.dilation, "groups": 1, "padding_mode": layer.padding_mode,
    } | change  # fmt: skip
    return nn.Conv2d(cin, out, bias=bias, **fields)


def factors(layer: nn.Module, how: Factorized) -> nn.Sequential:
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
        return nn.Sequential(nn.Linear(layer.in_features, how.ranks[0], bias=False), last)
    if not isinstance(layer, nn.Conv2d):
        raise ValueError(f"need a linear layer or a convolution, got {type(layer).__name__}")
    if layer.groups == layer.in_channels > 1:
        raise ValueError(f"need a convolution that is not depthwise, got {layer.groups} groups of one channel")
    return nn.Sequential(*_CONVOLUTIONS[how.method](layer, how.ranks))


def _first(layer: nn.Conv2d, rank: int) -> nn.Conv2d:
    return nn.Conv2d(layer.in_channels, layer.groups * rank, 1, groups=layer.groups, bias=False)


def _last(layer: nn.Conv2d, rank: int) -> nn.Conv2d:
    return nn.Conv2d(layer.groups * rank, layer.out_channels, 1, groups=layer.groups, bias=layer.bias is not None)


def _tucker(layer: nn.Conv2d, ranks: tuple[int, ...]) -> list[nn.Module]:
    if len(ranks) != 2:
        raise ValueError(f"tucker takes two ranks, got {len(ranks)}")
    groups = layer.groups
    core = _conv(layer, groups * ranks[0], groups * ranks[1], bias=False, groups=groups)
    return [_first(layer, ranks[0]), core, _last(layer, ranks[1])]


def _cp(layer: nn.Conv2d, ranks: tuple[int, ...]) -> list[nn.Module]:
    if len(ranks) != 1:
        raise ValueError(f"cp takes one rank, got {len(ranks)}")
    width = layer.groups * ranks[0]
    (kh, kw), (sh, sw), (dh, dw) = layer.kernel_size, layer.stride, layer.dilation
    # A padding in words ("same") means the right thing for each axis alone.
    ph, pw = (layer.padding,) * 2 if isinstance(layer.padding, str) else ((layer.padding[0], 0), (0, layer.padding[1]))
    high = _conv(layer, width, width, bias=False, kernel_size=(kh, 1), stride=(sh, 1), padding=ph, dilation=(dh, 1), groups=width)  # fmt: skip  # noqa: E501
    wide = _conv(layer, width, width, bias=False, kernel_size=(1, kw), stride=(1, sw), padding=pw, dilation=(1, dw), groups=width)  # fmt: skip  # noqa: E501
    return [_first(layer, ranks[0]), high, wide, _last(layer, ranks[0])]


def _svd(layer: nn.Conv2d, ranks: tuple[int, ...]) -> list[nn.Module]:
    if len(ranks) != 1 or layer.kernel_size != (1, 1):
        raise ValueError(f"svd takes a 1x1 convolution and one rank, got {layer.kernel_size} and {len(ranks)}")
    first = _conv(layer, layer.in_channels, layer.groups * ranks[0], bias=False, groups=layer.groups)
    return [first, _last(layer, ranks[0])]


_CONVOLUTIONS: dict[str, Callable[[nn.Conv2d, tuple[int, ...]], list[nn.Module]]] = {
    "tucker": _tucker, "cp": _cp, "svd": _svd,
}  # fmt: skip
