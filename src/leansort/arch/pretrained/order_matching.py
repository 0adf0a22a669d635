"""Which layer of one network is which of another, told by order and shape alone.

A safetensors file lists its tensors by the alphabet: `bn1` stands before `conv_stem`, and the order in which the
network was put together is lost. What is left is the tree of names. A branch stays together, and names that differ in
numbers only follow those numbers. Networks of one design then fit in exactly one order, as a rule; where they fit in
several, guessing would swap layers of equal shape without a sign, so the person is asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from leansort.core.errors import UserError

Kind = tuple[tuple[str, Any], ...]  # a layer's tensors: last part of the name, shape
Order = tuple[str, ...]
_MOST_STATES = 2000  # half-done orders of one branch kept at once
_DEEPEST = 60  # dots in a name


def align_by_order(own: Sequence[Kind], theirs: Mapping[str, Kind], *, ordered: bool) -> dict[int, str]:
    """Pair layers by order and kind.

    Args:
        own: kinds of the own layers, in order.
        theirs: kinds of the other layers by name.
        ordered: whether `theirs` are in order, not by the alphabet.

    Returns:
        The other layer's name by position in `own`; positions without a partner are absent.

    Raises:
        UserError: names by the alphabet fit in several orders.
    """
    paired = _runs(own, theirs) if ordered else {}
    if len(paired) == len(own):
        return paired
    orders = _orders(own, theirs)
    if len(orders) == 1:
        return dict(enumerate(orders[0]))
    if ordered:
        return paired
    if not orders:
        return _numbered(own, theirs)
    item, other = next(pair for pair in zip(*orders, strict=True) if pair[0] != pair[1])
    raise UserError(
        f"weights: {item!r} and {other!r} have one shape and fit in one place; say which in a file of names"
    )


def _runs(own: Sequence[Kind], theirs: Mapping[str, Kind]) -> dict[int, str]:
    """Pair runs of equal kinds; a layer alone counts only where either side has one of its kind.

    No run begins with a batch norm: it would go with another convolution than the one it was trained behind.
    """
    names, kinds = list(theirs), list(theirs.values())
    mine, other = Counter(own), Counter(kinds)
    result = {}
    for block in SequenceMatcher(None, own, kinds, autojunk=False).get_matching_blocks():
        run = range(block.size)
        if block.a or block.b:
            run = range(next((k for k in run if "running_var" not in dict(own[block.a + k])), block.size), block.size)
        for k in run:
            kind = own[block.a + k]
            if len(run) > 1 or mine[kind] == other[kind] == 1:
                result[block.a + k] = names[block.b + k]
    return result


def _numbered(own: Sequence[Kind], theirs: Mapping[str, Kind]) -> dict[int, str]:
    """Pair runs inside of those parts of their tree whose order the numbers tell alone, such as `features.0` to `.18`.

    Parts that hold layers of one kind could be taken for each other: then nothing is paired.
    """
    root = _tree(theirs)
    while len(root) == 1 and isinstance(only := next(iter(root.values())), dict):
        root = only
    parts = [[name for child in queue for name in _leaves(child)] for queue in _queues(root)]
    kinds = [kind for part in parts for kind in {theirs[name] for name in part}]
    if len(kinds) != len(set(kinds)):
        return {}
    sure = [part for part, queue in zip(parts, _queues(root), strict=True) if all(map(_one_order, queue))]
    return {at: name for part in sure for at, name in _runs(own, {name: theirs[name] for name in part}).items()}


def _leaves(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    return [name for queue in _queues(node) for child in queue for name in _leaves(child)]


def _one_order(node: Any) -> bool:
    return isinstance(node, str) or (len(_queues(node)) == 1 and all(map(_one_order, node.values())))


def _tree(names: Mapping[str, Kind]) -> dict[str, Any]:
    """Names as a tree of dicts; the layer itself hangs at the empty key."""
    root: dict[str, Any] = {}
    for name in names:
        node = root
        for part in name.split(".")[:_DEEPEST]:
            node = node.setdefault(part, {})
        node[""] = name
    return root


def _number(key: str) -> tuple[str, list[int]]:
    return re.sub(r"\d+", "#", key), [int(n) for n in re.findall(r"\d{1,9}", key)]


def _queues(node: dict[str, Any]) -> list[list[Any]]:
    """A branch's children, those whose names differ in numbers only in one queue."""
    queues: dict[str, list[Any]] = {}
    for key in sorted(node, key=_number):
        queues.setdefault(_number(key)[0], []).append(node[key])
    return list(queues.values())


def _orders(own: Sequence[Kind], theirs: Mapping[str, Kind]) -> list[Order]:
    """Orders of their layers, at most two, in which every layer has the kind of the own one at its place."""
    if len(own) != len(theirs):
        return []
    return _Search(own, theirs).branch(_tree(theirs), 0)


class _Search:
    """Finds orders of branches; what fits where is found once for each branch and place."""

    def __init__(self, own: Sequence[Kind], theirs: Mapping[str, Kind]) -> None:
        self.own, self.theirs = own, theirs
        self.known: dict[tuple[int, int], list[Order]] = {}

    def branch(self, node: Any, at: int) -> list[Order]:
        """Orders of a branch, at most two, that fit from a position on."""
        if isinstance(node, str):
            return [(node,)] if at < len(self.own) and self.own[at] == self.theirs[node] else []
        key = (id(node), at)
        if key not in self.known:
            self.known[key] = self._arrange(node, at)
        return self.known[key]

    def _arrange(self, node: dict[str, Any], at: int) -> list[Order]:
        queues = _queues(node)
        states: dict[tuple[int, ...], list[Order]] = {(0,) * len(queues): [()]}  # by how much of each queue is used
        for _ in node:
            later: dict[tuple[int, ...], list[Order]] = {}
            for used, orders in states.items():
                for which, queue in enumerate(queues):
                    if used[which] < len(queue):
                        result = self.branch(queue[used[which]], at + len(orders[0]))
                        state = (*used[:which], used[which] + 1, *used[which + 1 :])
                        more = [order + other for order in orders for other in result]
                        later[state] = (later.get(state, []) + more)[:2]
            states = {state: orders for state, orders in later.items() if orders}
            if len(states) > _MOST_STATES:
                return []
        return next(iter(states.values()), [])
