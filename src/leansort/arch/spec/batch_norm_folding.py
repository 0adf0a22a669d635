"""Folding batch norms into the convolutions before them, and merging branches that are one convolution."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, cast

import torch
from torch import fx, nn

from leansort.arch.layers.branched_conv import fold_norm
from leansort.arch.layers.same_padding import SameConv2d
from leansort.arch.spec.factorized_layers import Factors
from leansort.arch.spec.fx_trace import layer_calls, trace
from leansort.arch.spec.memory_format import channels_last
from leansort.arch.spec.spec import ArchSpec, FuseBatchNorm
from leansort.core.errors import UserError

_LINEAR = (nn.Conv2d, SameConv2d)  # and not what is derived from them: it may change its weights on every call


def fold_batch_norms(model: nn.Module, spec: ArchSpec) -> tuple[nn.Module, ArchSpec]:
    """Return a copy with batch norms folded into convolutions, in evaluation mode, and the spec that rebuilds it."""
    return channels_last(fold_batch_norms_inplace(deepcopy(model).eval())), spec.edited(FuseBatchNorm())


def fold_batch_norms_inplace(model: nn.Module) -> nn.Module:
    """Fold every batch norm that alone reads a convolution; in place, in evaluation mode.

    Blocks that know how to merge their branches (a method `fuse` or `reparameterize`, as `BranchedConv` and timm's
    RepViT and MobileOne have) do so first, but not where a layer of theirs is factorized: they would not find its
    weight.

    Where a module's forward depends on values or sizes, nothing is known of how its parts are connected, and each part
    is looked at alone.
    """
    _merge_inplace(model.eval())
    _fold(model)
    return model


def merge_branches(model: nn.Module) -> nn.Module:
    """What is deployed of a network, with its batch norms: a copy with branches merged, in evaluation mode.

    Weights, multiply-adds and layers are counted of this. A network without such branches is given back as it is.
    """
    return _merge_inplace(deepcopy(model).eval()) if _has_branches(model) else model


def _has_branches(model: nn.Module) -> bool:
    """Whether a part of a network knows how to merge its branches."""
    return any(hasattr(part, "fuse") or hasattr(part, "reparameterize") for part in model.modules())


def _merge_inplace(model: nn.Module) -> nn.Module:
    default = torch.get_default_dtype()
    try:  # what merging makes anew takes the default type
        torch.set_default_dtype(next((p.dtype for p in model.parameters()), default))
        _merge(model)
    finally:
        torch.set_default_dtype(default)
    return model


def _fold(model: nn.Module) -> None:
    if not any(isinstance(part, nn.BatchNorm2d) for part in model.modules()):
        return
    try:
        nodes = layer_calls(trace(model), model)
    except UserError:
        _fold_parts(model)
        return
    for node, norm in nodes:
        before = _conv_before(node, norm, model)
        if before is not None:
            conv = cast(nn.Conv2d, model.get_submodule(before))
            model.set_submodule(before, fold_norm(conv, norm))
            # What else a batch norm of timm's does, it goes on doing: dropout, then the activation.
            rest = [part for part in norm.children() if not isinstance(part, nn.Identity)]
            model.set_submodule(str(node.target), nn.Sequential(*rest) if rest else nn.Identity())
        elif not isinstance(norm, nn.BatchNorm2d):
            _fold_parts(norm)


def _fold_parts(model: nn.Module) -> None:
    for part in model.children():
        _fold(part)


def _merge(model: nn.Module) -> None:
    for name, child in list(model.named_children()):
        merge: Any = child
        knows = not any(isinstance(part, Factors) for part in child.modules())
        if knows and hasattr(child, "fuse"):
            setattr(model, name, merge.fuse())
            continue
        if knows and hasattr(child, "reparameterize"):
            merge.reparameterize()
        _merge(child)


def _conv_before(node: fx.Node, norm: nn.Module, model: nn.Module) -> str | None:
    """Name of the convolution that a batch norm, and nothing else, reads."""
    before = node.args[0] if node.args else None
    if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None or not isinstance(before, fx.Node):
        return None
    if before.op != "call_module" or len(before.users) != 1:
        return None
    name = str(before.target)
    return name if type(model.get_submodule(name)) in _LINEAR else None
