"""From an ArchSpec to a network: pure, the same spec and seed give the same weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from pydantic import ValidationError
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from leansort.arch.layers.blocks import DropPath
from leansort.arch.model_files import builder, rows
from leansort.arch.spec.apply_edits import apply_edits
from leansort.arch.spec.backbone import Backbone
from leansort.arch.spec.batch_norm import guard_norms, set_norms
from leansort.arch.spec.initialization import initialize, zero_classifier
from leansort.arch.spec.memory_format import channels_last
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.timm_models import timm_networks
from leansort.arch.workarounds.onednn_strided_conv import guard_strided
from leansort.core import plugins
from leansort.core.errors import UserError
from leansort.core.plugins import Plugin
from leansort.core.seeds import Seeds
from leansort.core.text import yaml_config


@dataclass(frozen=True)
class BuiltNetwork:
    """A network with the weights that its training begins with, built once for all that is asked of it before.

    Attributes:
        spec: its architecture.
        network: itself, float32 (b, 3, h, w) in, logits (b, classes) out. A training takes it over and changes it in
            place; whoever else changes it works on a `copy`.
    """

    spec: ArchSpec
    network: nn.Module

    def copy(self) -> nn.Module:
        """The network as a module of its own."""
        return copy.deepcopy(self.network)


def build(spec: ArchSpec, seeds: Seeds | None = None) -> nn.Module:
    """Make the network that a spec describes, with freshly drawn weights.

    Args:
        spec: the architecture.
        seeds: where the weights come from; the same seeds give the same weights. None: root seed 0.

    Returns:
        A network in training mode (in evaluation mode where batch norms are fused), (b, 3, h, w) float32
        normalized RGB in, (b, classes) logits out; convolutions' weights lie channels-last.

    Raises:
        UserError: there is no such backbone, its file is wrong, or an edit does not fit it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed((seeds or Seeds(0)).child("arch/init").value)
        model = _base(spec)
        zero_classifier(model, spec.classes)
        set_norms(model, spec.norm)
        model = apply_edits(model, spec.edits)
    return channels_last(guard_strided(guard_norms(model)))


def uses_own_blocks(spec: ArchSpec) -> bool:
    """Whether a network is made of rows, or by code of this package, and so of our own blocks alone."""
    if spec.model is not None:
        return True
    if timm_networks.is_timm(spec.base):
        return False
    plugin = plugins.find("backbones", spec.base)
    return plugin.suffix == ".yaml" or plugin.is_own


def _base(spec: ArchSpec) -> nn.Module:
    if spec.model is not None:
        return _of_rows(rows.parse_model_file(spec.model, spec.base), spec)
    plugin = None if timm_networks.is_timm(spec.base) else plugins.find("backbones", spec.base)
    if plugin and plugin.path and plugin.suffix == ".yaml":
        return _of_rows(rows.read_model_file(plugin.path), spec)
    if spec.init != "small":
        raise UserError(f"arch.init: {spec.init} is for networks of rows; {spec.base} draws its weights itself")
    return timm_networks.build_timm_network(spec) if plugin is None else _with_drop_path(_of_code(spec, plugin), spec)


def _of_code(spec: ArchSpec, plugin: Plugin) -> nn.Module:
    kind = plugins.load_class(plugin, Backbone)
    try:
        options = kind.Config(**spec.options)
    except ValidationError as error:
        faults = yaml_config.validation_faults(error, kind.Config, "options.")
        raise UserError(f"backbone {spec.base}: {'; '.join(faults)}") from None
    made = kind(options).build(spec)
    if not isinstance(made, nn.Module):
        raise UserError(f"{plugin.what} of {plugin.origin}: build gave {type(made).__name__}, need nn.Module")
    return made


def _of_rows(model: rows.ModelFile, spec: ArchSpec) -> nn.Module:
    if spec.options:
        raise UserError(f"arch: {spec.base} is a model file and takes no options, got {', '.join(spec.options)}")
    network = builder.build_network(model, spec)
    initialize(network, spec.init)
    set_norms(network, model.norm)
    if spec.init == "paper":
        set_norms(network, model.paper)
    return _with_drop_path(network, spec)


def _with_drop_path(model: nn.Module, spec: ArchSpec) -> nn.Module:
    """Set the rates: rising linearly to `spec.drop_path` at the last residual block."""
    drops = [module for module in model.modules() if isinstance(module, DropPath)]
    if spec.drop_path and not drops:
        raise UserError(f"arch: {spec.base} has no residual block for drop_path {spec.drop_path} to leave out")
    for number, drop in enumerate(drops, 1):
        drop.rate = spec.drop_path * number / len(drops)
    return model


def parameters(model: nn.Module) -> int:
    """Number of weights that training changes."""
    return sum(p.numel() for p in model.parameters())


def macs(model: nn.Module, size: int) -> int:
    """Multiply-adds of convolutions and linear layers for one image of `size` x `size`."""
    was_training = model.training
    counter = FlopCounterMode(display=False)
    with without_gradients(model), counter:
        model.eval()(torch.zeros(1, 3, size, size).to(memory_format=torch.channels_last))
    model.train(was_training)
    return int(counter.get_total_flops()) // 2


@contextmanager
def without_gradients(model: nn.Module) -> Iterator[None]:
    """Ask for no gradients, not of the weights either: PyTorch's counter trips over weights that modules are given."""
    learning = [weights for weights in model.parameters() if weights.requires_grad]
    try:
        for weights in learning:
            weights.requires_grad_(False)
        with torch.no_grad():
            yield
    finally:
        for weights in learning:
            weights.requires_grad_(True)
