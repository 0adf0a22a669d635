"""Taking chosen channels out of a model's weights, and proof that nothing else changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from leansort.arch.spec.spec import Resize
from leansort.arch.trained_model import TrainedModel
from leansort.compress.pruning.channel_groups import ChannelGroup, Unprunable
from leansort.core.errors import LeansortError, one_line
from leansort.core.seeds import Seeds

_CLOSE = 1e-5  # in double precision: far above its rounding, far below what one wrong channel does


@dataclass
class _Gone:
    """Channels that a layer loses, of what it puts out and of what it reads."""

    out: set[int] = field(default_factory=set)
    into: set[int] = field(default_factory=set)


def remove_channels(
    model: TrainedModel, network: nn.Module, sets: Sequence[ChannelGroup], chosen: Mapping[str, set[int]]
) -> TrainedModel:
    """Remove channels from a model.

    Args:
        model: not changed.
        network: its network.
        sets: of coupled channels.
        chosen: by the name of a set the channels of it that go.

    Returns:
        The model without them, its spec one `Resize` longer.

    Raises:
        Unprunable: the network does not do with fewer channels what it does when nothing reads them.
    """
    gone = _gone(sets, chosen)
    if not gone:
        return model
    names = [name for name, _ in network.named_modules() if name in gone]
    weights, layers = dict(model.weights), {}
    for name in names:
        layer = network.get_submodule(name)
        layers[name] = _shape(layer, gone[name])
        weights.update(_kept(name, layer, gone[name], weights))
    smaller = replace(model, spec=model.spec.edited(Resize(layers=layers)), weights=weights)
    _prove(smaller, _deaf(model.network(), gone))
    return smaller


def _gone(sets: Sequence[ChannelGroup], chosen: Mapping[str, set[int]]) -> dict[str, _Gone]:
    gone: dict[str, _Gone] = defaultdict(_Gone)
    for item in sets:
        for touch in item.touches:
            own = {channel for channel, root in touch.roots.items() if root in chosen.get(item.name, ())}
            if own and touch.side != "in":
                gone[touch.layer].out |= own
            if own and touch.side != "out":
                gone[touch.layer].into |= own
    return dict(gone)


def _counts(layer: nn.Module) -> tuple[int, int, int]:
    if isinstance(layer, nn.Conv2d):
        return layer.in_channels, layer.out_channels, layer.groups
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features, 1
    assert isinstance(layer, _BatchNorm)
    return layer.num_features, layer.num_features, 1


def _shape(layer: nn.Module, gone: _Gone) -> tuple[int, int, int]:
    into, out, groups = _counts(layer)
    left = into - len(gone.into), out - len(gone.out)
    return *left, left[1] if groups == out > 1 else groups  # depthwise convolutions stay so


def _kept(name: str, layer: nn.Module, gone: _Gone, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The layer's tensors, without what goes."""
    into, out, groups = _counts(layer)
    kept_out = torch.tensor([i for i in range(out) if i not in gone.out])
    kept_in = torch.tensor([i for i in range(into // groups) if i not in gone.into])  # in every group the same places
    cut: dict[str, Tensor] = {}
    for part in ("weight", "bias", "running_mean", "running_var"):
        if f"{name}.{part}" in weights:
            tensor = weights[f"{name}.{part}"].index_select(0, kept_out)
            reads = tensor.ndim > 1 and not groups == out > 1
            cut[f"{name}.{part}"] = tensor.index_select(1, kept_in) if reads else tensor
    return cut


def _deaf(network: nn.Module, gone: Mapping[str, _Gone]) -> nn.Module:
    """Let layers read zero from the channels that go, in place: what they then put out is what is to stay."""
    for name, lost in gone.items():
        layer = network.get_submodule(name)
        into, out, groups = _counts(layer)
        if isinstance(layer, _BatchNorm) or groups == out > 1:
            continue
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        for channel in lost.into:
            group, place = divmod(channel, into // groups)
            layer.weight.data[group * out // groups : (group + 1) * out // groups, place] = 0.0
    return network


def _prove(smaller: TrainedModel, deaf: nn.Module) -> None:
    size = smaller.preprocess.size
    generator = torch.Generator().manual_seed(Seeds(0).child("compress/proof").value)
    x_bchw = torch.randn(1, 3, size, size, generator=generator, dtype=torch.float64)
    try:
        with torch.inference_mode():
            got = smaller.network().double()(x_bchw)
            want = deaf.double().eval()(x_bchw)
    except (LeansortError, RuntimeError, ValueError, IndexError) as error:
        raise Unprunable(f"it does not run with fewer channels ({one_line(error, 120)})") from None
    gap = float((got - want).abs().max()) if got.shape == want.shape else float("inf")
    if not gap <= _CLOSE * max(1.0, float(want.abs().max())):
        raise Unprunable(f"with fewer channels it gives outputs off by {gap:.2g}")
