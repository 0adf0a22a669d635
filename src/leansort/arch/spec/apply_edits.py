"""Edits of an ArchSpec, made to a network: they set shapes, and strict loading then sets the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from leansort.arch.layers.blocks import GlobalPool
from leansort.arch.spec.batch_norm_folding import fold_batch_norms_inplace
from leansort.arch.spec.factorized_layers import build_factor_chain, convolution_like
from leansort.arch.spec.spec import Edit, Factorize, FuseBatchNorm, Remove, Resize, Truncate
from leansort.core.errors import UserError


def apply_edits(model: nn.Module, edits: tuple[Edit, ...]) -> nn.Module:
    """Make the edits in order, in place.

    Raises:
        UserError: an edit names a layer that is not there, or of a kind it cannot change.
    """
    for edit in edits:
        if isinstance(edit, FuseBatchNorm):
            fold_batch_norms_inplace(model)
        elif isinstance(edit, Resize):
            _each(model, edit.op, edit.layers, _resized)
        elif isinstance(edit, Factorize):
            _each(model, edit.op, edit.layers, build_factor_chain)
        elif isinstance(edit, Remove):
            _each(model, edit.op, dict.fromkeys(edit.layers), lambda _layer, _given: nn.Identity())
        else:
            _truncate(model, edit)
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


def _truncate(model: nn.Module, edit: Truncate) -> None:
    if not isinstance(model, nn.Sequential) or edit.parts >= len(model):
        raise UserError(f"edit truncate: the network is no chain of more than {edit.parts} parts")
    dropouts = [module for module in model[edit.parts :].modules() if isinstance(module, nn.Dropout)]
    del model[edit.parts :]
    model.extend([GlobalPool(), *dropouts[-1:], nn.Linear(edit.channels, edit.classes)])


def _resized(layer: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
    cin, out, groups = shape
    if isinstance(layer, nn.Conv2d):
        made = convolution_like(layer, cin, out, groups=groups, bias=layer.bias is not None)
        return made if type(layer) is type(made) else _resized_kind(layer, made)
    if isinstance(layer, nn.Linear):
        return nn.Linear(cin, out, bias=layer.bias is not None)
    if isinstance(layer, _BatchNorm):  # its own kind may carry an activation: only the tensors change
        return _resized_norm(layer, out)
    raise ValueError(f"is a {type(layer).__name__}, need a convolution, linear layer or batch norm")


def _resized_kind(layer: nn.Conv2d, made: nn.Conv2d) -> nn.Conv2d:
    """A convolution of a kind of its own, such as those of timm that standardize weights, with another's counts."""
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
