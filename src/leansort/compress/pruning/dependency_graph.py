"""What goes with a layer's channels, as torch-pruning traces it (DepGraph, arXiv:2301.12900).

Nothing else of that library is used, and nowhere else: its pruners rank by the weights of some kinds of layers only,
round widths down to nothing and then leave them whole, and keep no cap on what a layer loses in one step.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from leansort.core.errors import MissingExtraError

_CHANNELWISE = ("ELEMENTWISE", "CONCAT", "RESHAPE")  # kinds of operators that keep channels apart
_FOLDING = ("EXPAND", "UNBIND", "MHA")  # and those that do not


@dataclass(frozen=True)
class Side:
    """One side of one module that loses channels.

    Attributes:
        module: a layer, or torch-pruning's stand-in for an operator or a parameter.
        kind: its kind, in torch-pruning's words.
        side: `out` or `in`, or `both` where one cannot be without the other, as of batch norms.
        roots: for each channel that goes the channel of the first layer that it goes with.
    """

    module: Any
    kind: str
    side: Literal["in", "out", "both"]
    roots: dict[int, int]

    @property
    def is_followed(self) -> bool:
        """Whether its channels stay what they were, and a spec's edits can say how many there are."""
        if isinstance(self.module, nn.Conv2d):  # one channel out a group, yet several in: traced as if depthwise
            return not is_depthwise(self.module) or self.module.in_channels == self.module.out_channels
        if isinstance(self.module, nn.PReLU):
            return self.module.num_parameters == 1
        if self.kind == "SLICE":  # of rows or columns; a slice of channels is as the forward has it, not as they are
            return int(self.module.dim) in (2, 3)
        return isinstance(self.module, nn.Linear | _BatchNorm) or self.kind in _CHANNELWISE


class DependencyGraph:
    """The traced graph of a network.

    Args:
        network: in evaluation mode; not changed.
        size: side of the square input in pixels.

    Raises:
        MissingExtraError: torch-pruning is not installed.
    """

    def __init__(self, network: nn.Module, size: int) -> None:
        try:
            library = importlib.import_module("torch_pruning")
        except ModuleNotFoundError:
            raise MissingExtraError("torch_pruning", "compress") from None
        given = (torch.zeros(1, 3, size, size),)  # in a tuple: a bare tensor it first takes apart along the batch
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = library.DependencyGraph().build_dependency(network, example_inputs=given, verbose=False)
        self._graph: Any = graph

    def groups(self, kept: Collection[nn.Module]) -> Iterator[list[Side]]:
        """What goes with the outputs of each layer, the layer itself first; each channel once.

        Layers whose outputs are `kept`, and those tied to them, are passed over.
        """
        seen = set(kept)
        for layer, node in list(self._graph.module2node.items()):
            if not isinstance(layer, nn.Conv2d | nn.Linear) or layer in seen or self._folds(node):
                continue
            group = self._follow(layer, range(layer.weight.shape[0]))
            touched = {item.module for item in group if item.side != "in"}
            if touched.isdisjoint(kept):
                yield group
            seen |= touched

    def numberings(self, group: list[Side]) -> Iterator[list[Side]]:
        """The group by the channels of each layer that can lose any of them alone; its first layer first.

        Not every layer can where an output is laid beside what is made of it, as GhostNet's are.
        """
        if self._is_independent(group):
            yield group
        others = [item.module for item in group if item.side == "out" and item.module is not group[0].module]
        for layer in sorted(others, key=lambda layer: len(layer.weight)):
            again = self._follow(layer, range(len(layer.weight)))
            if _covered(again) == _covered(group) and self._is_independent(again):
                yield again

    def _is_independent(self, group: list[Side]) -> bool:
        """Whether half of the channels, cut either way, take along what the whole group says of them and no more."""
        root = group[0]
        for some in (range(len(root.roots) // 2), range(0, len(root.roots), 2)):
            text = _covered(group, some)
            if len(some) and _covered(self._follow(root.module, some)) != {
                key: own for key, own in text.items() if own
            }:
                return False
        return True

    def _follow(self, layer: nn.Module, channels: Collection[int]) -> list[Side]:
        prune = self._graph.get_pruner_of_module(layer).prune_out_channels
        return [
            Side(
                item.dep.target.module,
                item.dep.target.type.name,
                self._side(item.dep.handler),
                dict(zip(item.idxs, item.root_idxs, strict=True)),
            )
            for item in self._graph.get_pruning_group(layer, prune, channels).items
        ]

    def _side(self, handler: Any) -> Literal["in", "out", "both"]:
        if not self._graph.is_out_channel_pruning_fn(handler):
            return "in"
        return "both" if self._graph.is_in_channel_pruning_fn(handler) else "out"

    def _folds(self, node: Any) -> bool:
        """Whether a layer's outputs may come to where axes are folded or repeated, as in attention.

        torch-pruning follows them there with lists of channels that grow without end: asked first, without channels.
        """
        seen, waiting = set(), [(node, self._graph.get_pruner_of_module(node.module).prune_out_channels)]
        while waiting:
            at, prune = waiting.pop()
            if (at, prune) in seen:
                continue
            seen.add((at, prune))
            if at.type.name in _FOLDING or (at.type.name == "RESHAPE" and not _flattens(at)):
                return True
            waiting += [(dep.target, dep.handler) for dep in at.dependencies if dep.is_triggered_by(prune)]
        return False


def is_depthwise(layer: nn.Module) -> bool:
    """Whether a layer is a convolution with one channel out a group."""
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.out_channels > 1


def _covered(group: list[Side], roots: Collection[int] | None = None) -> dict[tuple[Any, str], frozenset[int]]:
    """The channels that each side loses, to some channels of the first layer or to all."""
    return {
        (item.module, item.side): frozenset(own for own, root in item.roots.items() if roots is None or root in roots)
        for item in group
    }


def _flattens(node: Any) -> bool:
    """Whether a change of shape only lays (b, c, h, w) out for linear layers."""
    waiting = list(node.outputs)
    for after in waiting:
        if after.type.name == "ELEMENTWISE":
            waiting += [output for output in after.outputs if output not in waiting]
        elif not isinstance(after.module, nn.Linear | nn.BatchNorm1d):
            return False
    return len(getattr(node.grad_fn, "_saved_self_sym_sizes", ())) == 4
