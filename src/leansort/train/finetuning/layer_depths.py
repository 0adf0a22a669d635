"""How deep each weight of a network lies: what layer-wise learning rates are counted by.

A depth is a block: one module of a row (each repeat by itself), one cell; of timm's networks what timm says. Other
blocks are found by the order in which a network registers them. Pruned and factorized networks keep the order they had.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from torch import nn

from leansort.arch.timm_models import timm_networks

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
Weights = list[nn.Parameter]


def group_by_depth(network: nn.Module, heads: Sequence[nn.Module]) -> list[Weights]:
    """The weights of a network, block by block from the input to the classifiers.

    Args:
        network: of rows, of code, or timm's, with or without edits.
        heads: its classifiers, which are the last depth wherever they lie; none: the last block is the last depth.

    Returns:
        At least one list; every weight is in exactly one. A batch norm is of the depth of the layer before it.
    """
    last = list(dict.fromkeys(chain.from_iterable(head.parameters() for head in heads)))
    taken = {id(weight) for weight in last}
    depths: list[Weights] = []
    for block in _blocks_of_timm(network) or _blocks(network, _size(network.parameters())):
        fresh = [weight for weight in block if id(weight) not in taken]
        taken |= {id(weight) for weight in fresh}
        if depths and all(weight.ndim <= 1 for weight in fresh):
            depths[-1] += fresh
        elif fresh:
            depths.append(fresh)
    return [*depths, last] if last or not depths else depths


def decayed_scales(network: nn.Module, heads: Sequence[nn.Module], decay: float) -> dict[int, float]:
    """Factors of the learning rate by the `id` of a weight: 1 at the last depth, `decay` times less at each before.

    As in timm's `param_groups_layer_decay`; the rule is from arXiv:1801.06146 (discriminative fine-tuning).
    """
    depths = group_by_depth(network, heads)
    return {
        id(weight): decay ** (len(depths) - 1 - depth) for depth, weights in enumerate(depths) for weight in weights
    }


def _blocks_of_timm(network: nn.Module) -> list[Weights]:
    groups: dict[int, Weights] = {}
    depths = timm_networks.group_weights(network) or {}
    for name, weight in network.named_parameters() if depths else ():
        groups.setdefault(depths[name], []).append(weight)
    return [groups[depth] for depth in sorted(groups)]


def _blocks(module: nn.Module, whole: int) -> Iterator[Weights]:
    """What blocks hold, in order; a container's own weights (a class token) belong to the first of its blocks."""
    own = list(module.parameters(recurse=False))
    for child in module.children():
        for block in _blocks(child, whole) if _is_looked_into(child, whole) else [list(child.parameters())]:
            yield own + block
            own = []
    if own:
        yield own


def _is_looked_into(module: nn.Module, whole: int) -> bool:
    """Whether a module holds blocks: a plain container, or code that holds more than half of all weights."""
    if hasattr(module, "row"):  # as a model file's row made it: one block, whatever it holds
        return False
    return type(module) in _CONTAINERS or 2 * _size(module.parameters()) > whole


def _size(weights: Iterable[nn.Parameter]) -> int:
    return sum(weight.numel() for weight in weights)
