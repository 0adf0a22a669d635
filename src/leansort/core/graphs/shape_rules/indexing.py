"""Shapes of what operators that pick numbers out make: slice, gather, the largest few."""

from __future__ import annotations

from leansort.core.graphs.onnx_model import Shape
from leansort.core.graphs.shape_trace import NodeInputs, Rule


def slices(reading: NodeInputs) -> list[tuple[int, slice]]:
    """The axes that a Slice cuts, and from where to where."""
    shape = reading.shape()
    starts, ends = reading.integers(1, "starts") or [], reading.integers(2, "ends") or []
    axes = reading.integers(3, "axes")
    axes = list(range(len(starts))) if axes is None else [reading.axis(axis, len(shape)) for axis in axes]
    steps = reading.integers(4) or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps or len(axes) > len(shape):
        raise reading.fault("slices along axes that it does not have")
    cut = []
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        behind = step < 0 and end < -shape[axis]  # ONNX means everything, Python would count from the end
        cut.append((axis, slice(start, None if behind else end, step)))
    return cut


def cut(reading: NodeInputs) -> list[Shape]:
    """A part along some axes."""
    sides = list(reading.shape())
    for axis, part in slices(reading):
        sides[axis] = len(range(*part.indices(sides[axis])))
    return [tuple(sides)]


def gather(reading: NodeInputs) -> list[Shape]:
    """Rows by their numbers."""
    shape = reading.shape()
    axis = reading.axis(reading.node.integer("axis"), len(shape))
    return [(*shape[:axis], *reading.shape(1), *shape[axis + 1 :])]


def gather_nd(reading: NodeInputs) -> list[Shape]:
    """Parts by the numbers of several axes."""
    shape, where, batch = reading.shape(), reading.shape(1), reading.node.integer("batch_dims")
    if not where or batch < 0 or where[-1] + batch > len(shape) or batch >= len(where):
        raise reading.fault(f"gathers from {list(shape)} by {list(where)}")
    return [(*where[:-1], *shape[batch + where[-1] :])]


def one_hot(reading: NodeInputs) -> list[Shape]:
    """Each number as a row with one place filled."""
    shape, depth = reading.shape(), reading.known(1).reshape(-1)
    axis = reading.axis(reading.node.integer("axis", -1), len(shape) + 1)
    if depth.size != 1 or not depth[0] > 0:
        raise reading.fault("has rows without a place")
    return [(*shape[:axis], int(depth[0]), *shape[axis:])]


def top(reading: NodeInputs) -> list[Shape]:
    """The largest along an axis, and where they are."""
    shape, count = reading.shape(), reading.integers(1) or []
    axis = reading.axis(reading.node.integer("axis", -1), len(shape))
    if len(count) != 1 or not 0 <= count[0] <= shape[axis]:
        raise reading.fault(f"takes the largest {count[:3]} of {shape[axis]}")
    reading.work = 32 * reading.value(0).elements
    return [(*shape[:axis], count[0], *shape[axis + 1 :])] * 2


RULES: dict[str, Rule] = {
    "Slice": cut,
    "Gather": gather,
    "GatherElements": lambda item: [item.shape(1)],
    "GatherND": gather_nd,
    "OneHot": one_hot,
    "TopK": top,
}
