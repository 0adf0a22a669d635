"""How much a channel matters, from the weights and gradients of all the layers that lose it together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from leansort.compress.pruning.channel_groups import ChannelGroup, LayerSide
from leansort.core.errors import UserError
from leansort.core.seeds import Seeds

Importance = Literal["l1", "l2", "taylor", "bn_scale", "random"]
Gradients = Callable[[nn.Module], None]


def score_channels(
    network: nn.Module, sets: Sequence[ChannelGroup], kind: Importance, seeds: Seeds
) -> dict[str, Tensor]:
    """Score the channels that can go.

    Every layer's values are divided by their mean, since a batch norm takes away whatever scale a layer has, and each
    layer has one vote; the scores of a set then are divided by their mean, so that sets compare in one ranking. By
    weights a channel is worth what is written to it times what is read of it: one that is silent, or that nobody
    listens to, is worth nothing.

    Args:
        network: with gradients for `taylor`.
        sets: of coupled channels.
        kind: `l1` (arXiv:1608.08710) and `l2`: sums of absolute and squared weights; `taylor`: of |weight x gradient|,
            what the loss would change by to first order (arXiv:1906.10771); `bn_scale`: the batch norms' factors alone
            (arXiv:1708.06519); `random`.
        seeds: what `random` is drawn from.

    Returns:
        By the set's name one score a unit; sets of which nothing is known, as those without a batch norm are to
        `bn_scale`, are left out.

    Raises:
        UserError: `bn_scale` of a network without batch norms.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.affine]
    if kind == "bn_scale" and not norms:
        raise UserError("importance bn_scale reads the factors of batch norms, and this network has none; take l1")
    drawn = {item.name: _drawn(item, seeds) if kind == "random" else _voted(network, item, kind) for item in sets}
    return {name: score for name, score in drawn.items() if score is not None}


def take_gradients(source: nn.Module, target: nn.Module) -> None:
    """Copy the gradients of a network's weights to the same network elsewhere; zeros where there are none.

    Raises:
        ValueError: there are none at all.
    """
    result = {name: weight.grad for name, weight in source.named_parameters() if weight.grad is not None}
    if not result:
        raise ValueError("gradients() left no gradient in .grad of any weight")
    for name, weight in target.named_parameters():
        weight.grad = result[name].detach().to(weight) if name in result else torch.zeros_like(weight)


def _drawn(channel_group: ChannelGroup, seeds: Seeds) -> Tensor:
    generator = torch.Generator().manual_seed(seeds.child(f"importance/{channel_group.name}").value)
    return torch.rand(channel_group.units, generator=generator)


def _voted(network: nn.Module, channel_group: ChannelGroup, kind: Importance) -> Tensor | None:
    votes = [(touch.side, _vote(network, channel_group, touch, kind)) for touch in channel_group.touches]
    written = [vote for side, vote in votes if vote is not None and side != "in"]
    read = [vote for side, vote in votes if vote is not None and side == "in"]
    if not written + read:
        return None
    if kind in ("l1", "l2") and written and read:
        worth = (torch.stack(written).mean(0) * torch.stack(read).mean(0)).sqrt()
    else:  # gradients know already what comes in and what becomes of it
        worth = torch.stack(written + read).mean(0)
    return _relative(worth.view(channel_group.groups, channel_group.units).mean(0))


def _vote(network: nn.Module, channel_group: ChannelGroup, touch: LayerSide, kind: Importance) -> Tensor | None:
    """What a layer says of a set's channels, (channels,): the mean over its own that go with each."""
    layer = network.get_submodule(touch.layer)
    norm = isinstance(layer, _BatchNorm)
    if layer.weight is None or (kind == "bn_scale" and not norm):
        return None
    values = _by_channel(_values(layer.weight, kind), layer, touch.side)  # type: ignore[arg-type]
    own, roots = torch.tensor(list(touch.roots)), torch.tensor(list(touch.roots.values()))
    sums = torch.zeros(channel_group.channels, dtype=values.dtype).index_add_(0, roots, values[own])
    return _relative(sums / torch.bincount(roots, minlength=channel_group.channels).clamp(min=1))


def _values(weight: Tensor, kind: Importance) -> Tensor:
    w = weight.detach()
    if kind == "taylor":
        assert weight.grad is not None
        return (w * weight.grad).abs()
    return w.square() if kind == "l2" else w.abs()


def _by_channel(values: Tensor, layer: nn.Module, side: str) -> Tensor:
    """Sum (out, in/groups, ...), or (channels,), to one value a channel of a side."""
    if values.ndim == 1:
        return values
    if side != "in":
        return values.flatten(1).sum(1)
    groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
    return values.reshape(groups, values.shape[0] // groups, values.shape[1], -1).sum((1, 3)).flatten()


def _relative(values: Tensor) -> Tensor:
    mean = values.mean()
    return values / mean if float(mean) > 0.0 else values
