"""Which channels of a network must go together: what one layer loses, all that it is added to or read by lose too.

What a spec's edits cannot describe is left out: channels that a split, a parameter of a block's own or a layer norm
takes part in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from leansort.compress.pruning.dependency_graph import DependencyGraph, Side, is_depthwise
from leansort.core.errors import UserError, one_line

_FAULTS = (RuntimeError, ValueError, AssertionError, LookupError, TypeError, AttributeError)


class Unprunable(UserError):
    """A network, or a part of it, whose channels cannot be cut."""


@dataclass(frozen=True)
class LayerSide:
    """One side of one layer that loses channels.

    Attributes:
        layer: its name.
        side: `out` and `in` of a convolution or linear layer; `both` of a batch norm or depthwise convolution.
        roots: for each of its channels that can go, the channel of the set that it goes with.
    """

    layer: str
    side: str
    roots: dict[int, int]

    def among(self, numbers: dict[int, int]) -> LayerSide:
        """Return this side with the set's channels numbered anew; those without a number are left out."""
        return LayerSide(
            self.layer, self.side, {own: numbers[root] for own, root in self.roots.items() if root in numbers}
        )


@dataclass(frozen=True)
class ChannelGroup:
    """A set of channels that are one width in all the layers that make, scale or read them.

    Attributes:
        name: of the layer that the channels are numbered in, with the first of them where they are not all it has.
        channels: how many they are.
        groups: of the grouped convolutions among the layers; channels of the same place in each group go at once.
        touches: the layers, with what they lose for each channel.
    """

    name: str
    channels: int
    groups: int
    touches: tuple[LayerSide, ...]

    @property
    def units(self) -> int:
        """How many can go one by one."""
        return self.channels // self.groups

    def of_units(self, units: Collection[int]) -> set[int]:
        """Return the channels of some units."""
        return {unit + group * self.units for unit in units for group in range(self.groups)}


def find_channel_groups(network: nn.Module, kept: Collection[nn.Module], size: int) -> list[ChannelGroup]:
    """Find the widths of a network that can shrink.

    Args:
        network: in evaluation mode; not changed.
        kept: layers whose outputs stay, as the classifier's.
        size: side of the square input in pixels.

    Returns:
        Sets of coupled channels, no channel in two of them.

    Raises:
        Unprunable: the network cannot be traced, or no width can be followed.
        MissingExtraError: torch-pruning is not installed.
    """
    names = {module: name for name, module in network.named_modules()}
    channel_groups: list[ChannelGroup] = []
    try:
        dependencies = DependencyGraph(network, size)
        for group in dependencies.groups(kept):
            if all(side.is_followed for side in group):
                sets = (_coupled(numbering, names) for numbering in dependencies.numberings(group))
                channel_groups += _parts(next((item for item in sets if item is not None), None))
    except _FAULTS as error:
        cause = one_line(error, 120)
        raise Unprunable(f"its channels cannot be followed ({type(error).__name__}: {cause})") from None
    if not channel_groups:
        raise Unprunable("none of its channels can be followed from layer to layer")
    return channel_groups


def _coupled(group: Sequence[Side], names: dict[nn.Module, str]) -> ChannelGroup | None:
    channels = len(group[0].roots)
    layers = [item for item in group if isinstance(item.module, nn.Conv2d | nn.Linear | _BatchNorm)]
    grouped = [layer for layer in layers if getattr(layer.module, "groups", 1) > 1 and not is_depthwise(layer.module)]
    groups = {1, *(item.module.groups for item in grouped)}
    # Every group of a grouped convolution must lose the same places.
    places = all(item.roots == {channel: channel for channel in range(channels)} for item in grouped)
    if not places or len(groups) > 2 or channels % max(groups) or all(layer.side != "out" for layer in layers):
        return None
    touches = tuple(LayerSide(names[layer.module], layer.side, layer.roots) for layer in layers)
    return ChannelGroup(names[group[0].module], channels, max(groups), touches)


def _parts(channel_group: ChannelGroup | None) -> list[ChannelGroup]:
    """Part the channels by the layers that touch them: where two layers make half each, each half is a width."""
    if channel_group is None:
        return []
    covered = [set(touch.roots.values()) for touch in channel_group.touches]
    parts: dict[tuple[bool, ...], list[int]] = {}
    for channel in range(channel_group.channels):
        parts.setdefault(tuple(channel in some for some in covered), []).append(channel)
    if len(parts) == 1:
        return [channel_group]
    return [_part(channel_group, channels) for channels in parts.values()] if channel_group.groups == 1 else []


def _part(channel_group: ChannelGroup, channels: Sequence[int]) -> ChannelGroup:
    touches = [
        touch.among({channel: number for number, channel in enumerate(channels)}) for touch in channel_group.touches
    ]
    return ChannelGroup(
        f"{channel_group.name}:{channels[0]}", len(channels), 1, tuple(touch for touch in touches if touch.roots)
    )
