"""From an ArchSpec to a network: pure, the same spec and seed give the same weights."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.flop_counter import FlopCounterMode

from leansort.arch import blocks, rows
from leansort.arch.archspec import ArchSpec, FuseBatchNorm
from leansort.core import plugins
from leansort.core.errors import UserError
from leansort.core.seeds import Seeds


def build(spec: ArchSpec, seeds: Seeds | None = None) -> nn.Module:
    """Make the network that a spec describes, with freshly drawn weights.

    Args:
        spec: the architecture.
        seeds: where the weights come from; the same seeds give the same weights. None: root seed 0.

    Returns:
        A network in training mode (in evaluation mode where batch norms are fused), (b, 3, h, w) float32
        normalized RGB in, (b, classes) logits out.

    Raises:
        UserError: there is no such backbone, or its file is wrong.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed((seeds or Seeds(0)).child("arch/init").value)
        model = _base(spec)
        blocks.initialize(model)
    for _ in spec.edits:
        model = _fuse(model.eval())
    return channels_last(model)


def channels_last(model: nn.Module) -> nn.Module:
    """Lay the weights out as the CPU's and GPU's convolutions like them best; in place."""
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return model


def _base(spec: ArchSpec) -> nn.Module:
    if spec.model is not None:
        made = rows.of(spec.model, spec.base)
        return rows.chain(made, classes=spec.classes, width=spec.width, dropout=spec.dropout)
    path = plugins.path_of("backbones", spec.base)
    if path.suffix == ".yaml":
        return rows.chain(rows.read(path), classes=spec.classes, width=spec.width, dropout=spec.dropout)
    made = plugins.load("backbones", spec.base).spec(spec)
    if not isinstance(made, nn.Module):
        raise UserError(f"backbone {spec.base!r}: spec(config) in {path} gave {type(made).__name__}, need nn.Module")
    return made


def _fuse(model: nn.Module) -> nn.Module:
    for module in list(model.modules()):
        children = list(module.named_children())
        for (name, conv), (bn_name, norm) in pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(conv, norm))
                setattr(module, bn_name, nn.Identity())
    return model


def fused(model: nn.Module, spec: ArchSpec) -> tuple[nn.Module, ArchSpec]:
    """Return a copy with batch norms folded into convolutions, and the spec that rebuilds it."""
    return _fuse(deepcopy(model).eval()), spec.edited(FuseBatchNorm())


def parameters(model: nn.Module) -> int:
    """Number of weights that training changes."""
    return sum(p.numel() for p in model.parameters())


def macs(model: nn.Module, size: int) -> int:
    """Multiply-adds of convolutions and linear layers for one picture of `size` x `size`."""
    was_training = model.training
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model.eval()(torch.zeros(1, 3, size, size).to(memory_format=torch.channels_last))
    model.train(was_training)
    return int(counter.get_total_flops()) // 2
