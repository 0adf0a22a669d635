"""What lies between layers - additions, activations - and gains nothing from int8 where the layers around are float."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class GraphNode:
    """A node of any graph.

    Attributes:
        name: unique in the graph.
        reads: names of the nodes that compute its inputs.
    """

    name: str
    reads: tuple[str, ...]


def select_ignored_layers(nodes: Sequence[GraphNode], layers: Collection[str], int8: Collection[str]) -> list[str]:
    """Name the nodes between layers that should stay in float.

    Those are the ones that read float layers alone, as everything before the first layer does; and the ones that
    bring several values together for float layers alone. An activation between an int8 and a float layer stays with
    the one before it, whose output it rounds.

    Args:
        nodes: in an order of computation.
        layers: names of the layers.
        int8: those of them that become int8.
    """
    before = _nearest([(node.name, node.reads) for node in nodes], layers)
    readers = {node.name: tuple(other.name for other in nodes if node.name in other.reads) for node in nodes}
    after = _nearest([(node.name, readers[node.name]) for node in reversed(nodes)], layers)
    chosen = set(int8)
    return [
        node.name
        for node in nodes
        if node.name not in layers
        and (not before[node.name] & chosen or (len(node.reads) > 1 and not after[node.name] & chosen))
    ]


def _nearest(edges: Sequence[tuple[str, Collection[str]]], layers: Collection[str]) -> dict[str, set[str]]:
    """For each node, the layers met first when going from it along the edges."""
    texts: dict[str, set[str]] = {}
    for name, others in edges:
        met = [{other} if other in layers else texts.get(other, set()) for other in others]
        texts[name] = set().union(*met)
    return texts
