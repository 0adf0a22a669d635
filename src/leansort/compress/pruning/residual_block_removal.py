"""Dropping whole residual blocks: what is left of one is its shortcut, the input as it came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from leansort.arch.spec.fx_trace import trace
from leansort.arch.spec.spec import Remove
from leansort.arch.trained_model import TrainedModel
from leansort.core.errors import not_one_of

_SUMS = ("add", "iadd", "add_")
_ACTIVATIONS = ("relu", "relu_", "silu", "gelu", "hardswish", "leaky_relu", "elu")


def find_removable_blocks(model: TrainedModel) -> list[str]:
    """Find the residual blocks that can be dropped whole.

    Returns:
        Names of modules that end by adding their input, unchanged, to what they make of it, in the order they run;
        blocks inside of another such block are left out.

    Raises:
        UserError: the network cannot be traced.
    """
    network = model.network()
    graph, same = trace(network), _same_shape(model.network(), model.preprocess.size)
    texts: dict[tuple[fx.Node, fx.Node], str] = {}
    for name, nodes in _scopes(graph).items():
        ends = _ends(nodes)
        if ends and name in same and _adds(network, *ends, set(nodes)):
            texts[ends] = name  # of a block and a container of nothing else, the inner one comes last
    return [name for name in texts.values() if not any(name.startswith(f"{outer}.") for outer in texts.values())]


def remove_blocks(model: TrainedModel, names: Sequence[str]) -> TrainedModel:
    """Drop residual blocks.

    Args:
        model: not changed.
        names: of blocks, as `removable` gives them.

    Returns:
        The model without them, its spec one `Remove` longer; the weights fit strictly.

    Raises:
        UserError: a name is not that of such a block.
    """
    if not names:
        return model
    known = find_removable_blocks(model)
    for name in names:
        if name not in known:
            raise not_one_of("block to drop", name, known)
    inside = tuple(f"{name}." for name in names)
    weights = {key: tensor for key, tensor in model.weights.items() if not key.startswith(inside)}
    smaller = replace(model, spec=model.spec.edited(Remove(layers=tuple(names))), weights=weights)
    assert _run(smaller.network(), model.preprocess.size) == (1, model.spec.classes)
    return smaller


def _scopes(graph: fx.Graph) -> dict[str, list[fx.Node]]:
    """The nodes that run inside each module, outer modules before inner ones."""
    scopes: dict[str, list[fx.Node]] = {}
    for node in graph.nodes:
        for path in _path(node):
            scopes.setdefault(path, []).append(node)
    return scopes


def _path(node: fx.Node) -> list[str]:
    """Names of the modules that a node runs in, from the outermost to the innermost."""
    return [str(path) for path, _ in node.meta.get("nn_module_stack", {}).values() if path]


def _ends(nodes: Sequence[fx.Node]) -> tuple[fx.Node, fx.Node] | None:
    """The one node that a scope reads from outside, and the one of its own that is read there."""
    own = set(nodes)
    reads = {used for node in nodes for used in node.all_input_nodes if used not in own and used.op != "get_attr"}
    read = [node for node in nodes if any(user not in own for user in node.users)]
    return (reads.pop(), read[0]) if len(reads) == len(read) == 1 else None


def _adds(network: nn.Module, given: fx.Node, out: fx.Node, own: set[fx.Node]) -> bool:
    """Whether a result is a sum, or the activation of a sum, with the input as it came among what is added."""
    while not _is_sum(out):
        before = out.all_input_nodes
        if len(before) != 1 or before[0] not in own or not _is_activation(network, out):
            return False
        out = before[0]
    return given in _terms(network, out, own)


def _terms(network: nn.Module, out: fx.Node, own: set[fx.Node]) -> Iterator[fx.Node]:
    """What a sum inside a scope adds up; sums of the same module are taken apart, those of other blocks are not."""
    for term in out.all_input_nodes:
        while term in own and term.op == "call_module" and type(_layer(network, term)) is nn.Identity:
            term = term.all_input_nodes[0]
        if term in own and _is_sum(term) and _path(term) == _path(out):
            yield from _terms(network, term, own)
        else:
            yield term


def _layer(network: nn.Module, node: fx.Node) -> nn.Module:
    return network.get_submodule(_name(node))


def _name(node: fx.Node) -> str:
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")


def _is_sum(node: fx.Node) -> bool:
    return node.op in ("call_function", "call_method") and _name(node) in _SUMS


def _is_activation(network: nn.Module, node: fx.Node) -> bool:
    if node.op != "call_module":
        return _name(node) in _ACTIVATIONS
    kind = type(_layer(network, node))
    return kind is nn.Identity or kind.__module__ == nn.ReLU.__module__


def _same_shape(network: nn.Module, size: int) -> set[str]:
    """Names of the modules that put out what has the shape of the one tensor they are given."""
    same = set()

    def note(name: str, given: Any, out: Any) -> None:
        if (
            len(given) == 1
            and all(isinstance(item, Tensor) for item in (given[0], out))
            and given[0].shape == out.shape
        ):
            same.add(name)

    for name, module in network.named_modules():
        module.register_forward_hook(lambda _module, given, out, name=name: note(name, given, out))
    _run(network, size)
    return same


def _run(network: nn.Module, size: int) -> torch.Size:
    with torch.no_grad():
        out: Tensor = network(torch.zeros(1, 3, size, size))
    return out.shape
