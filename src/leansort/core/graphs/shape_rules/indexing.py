"""Shapes of what operators that pick numbers out make: slice, gather, the largest few."""

from __future__ import annotations

from leansort.core.graphs.onnx_model import Shape
from leansort.core.graphs.shape_trace import Reading, Rule


def slices(one: Reading) -> list[tuple[int, slice]]:
    """The axes that a Slice cuts, and from where to where."""
    shape = one.shape()
    starts, ends = one.wholes(1, "starts") or [], one.wholes(2, "ends") or []
    axes = one.wholes(3, "axes")
    axes = list(range(len(starts))) if axes is None else [one.axis(axis, len(shape)) for axis in axes]
    steps = one.wholes(4) or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps or len(axes) > len(shape):
        raise one.fault("slices along axes that it does not have")
    cut = []
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        behind = step < 0 and end < -shape[axis]  # ONNX means everything, Python would count from the end
        cut.append((axis, slice(start, None if behind else end, step)))
    return cut


def cut(one: Reading) -> list[Shape]:
    """A part along some axes."""
    sides = list(one.shape())
    for axis, part in slices(one):
        sides[axis] = len(range(*part.indices(sides[axis])))
    return [tuple(sides)]


def gather(one: Reading) -> list[Shape]:
    """Rows by their numbers."""
    shape = one.shape()
    axis = one.axis(one.node.whole("axis"), len(shape))
    return [(*shape[:axis], *one.shape(1), *shape[axis + 1 :])]


def gather_nd(one: Reading) -> list[Shape]:
    """Parts by the numbers of several axes."""
    shape, where, batch = one.shape(), one.shape(1), one.node.whole("batch_dims")
    if not where or batch < 0 or where[-1] + batch > len(shape) or batch >= len(where):
        raise one.fault(f"gathers from {list(shape)} by {list(where)}")
    return [(*where[:-1], *shape[batch + where[-1] :])]


def one_hot(one: Reading) -> list[Shape]:
    """Each number as a row with one place filled."""
    shape, depth = one.shape(), one.known(1).reshape(-1)
    axis = one.axis(one.node.whole("axis", -1), len(shape) + 1)
    if depth.size != 1 or not depth[0] > 0:
        raise one.fault("has rows without a place")
    return [(*shape[:axis], int(depth[0]), *shape[axis:])]


def top(one: Reading) -> list[Shape]:
    """The largest along an axis, and where they are."""
    shape, count = one.shape(), one.wholes(1) or []
    axis = one.axis(one.node.whole("axis", -1), len(shape))
    if len(count) != 1 or not 0 <= count[0] <= shape[axis]:
        raise one.fault(f"takes the largest {count[:3]} of {shape[axis]}")
    one.work = 32 * one.value(0).elements
    return [(*shape[:axis], count[0], *shape[axis + 1 :])] * 2


RULES: dict[str, Rule] = {
    "Slice": cut, "Gather": gather, "GatherElements": lambda one: [one.shape(1)], "GatherND": gather_nd,
    "OneHot": one_hot, "TopK": top,
}  # fmt: skip
