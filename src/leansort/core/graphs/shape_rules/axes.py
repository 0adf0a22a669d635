"""Shapes of what operators that lay numbers out otherwise make of theirs: reshape, join, pad, tile, and so on."""

from __future__ import annotations

import math

from leansort.core.graphs.onnx_model import Shape
from leansort.core.graphs.shape_trace import NodeInputs, Rule


def same_shape(reading: NodeInputs) -> list[Shape]:
    """Each output like the first input."""
    return [reading.shape()] * max(1, len(reading.node.outputs))


def broadcast(reading: NodeInputs) -> list[Shape]:
    """All inputs stretched to one shape."""
    return [broadcast_shapes(reading, [value.shape for value in reading.inputs if value is not None])]


def broadcast_shapes(reading: NodeInputs, shapes: list[Shape]) -> Shape:
    """The one shape that several are stretched to."""
    rank = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result = []
    for sides in zip(*padded, strict=True):
        among = {side for side in sides if side != 1}
        if len(among) > 1:
            raise reading.fault(f"puts together shapes that do not fit: {[list(shape) for shape in shapes[:3]]}")
        result.append(among.pop() if among else 1)
    return tuple(result)


def reshape(reading: NodeInputs) -> list[Shape]:
    """As many numbers in another shape."""
    wanted, shape = reading.integers(1) or [], reading.shape()
    zero = reading.node.integer("allowzero")
    if any(side == 0 and not zero and at >= len(shape) for at, side in enumerate(wanted)) or wanted.count(-1) > 1:
        raise reading.fault(f"reshapes {list(shape)} to {wanted[:9]}")
    sides = [shape[at] if side == 0 and not zero else side for at, side in enumerate(wanted)]
    rest = math.prod(side for side in sides if side != -1)
    if -1 in sides and rest > 0:
        sides[sides.index(-1)] = math.prod(shape) // rest
    if math.prod(sides) != math.prod(shape) or min(sides, default=0) < 0:
        raise reading.fault(f"reshapes {list(shape)} to {wanted[:9]}")
    return [tuple(sides)]


def flatten(reading: NodeInputs) -> list[Shape]:
    """Two sides: what is before an axis, and what is behind it."""
    shape, axis = reading.shape(), reading.node.integer("axis", 1)
    axis = axis if axis == len(reading.shape()) else reading.axis(axis, len(shape))
    return [(math.prod(shape[:axis]), math.prod(shape[axis:]))]


def transpose(reading: NodeInputs) -> list[Shape]:
    """The sides in another order."""
    shape = reading.shape()
    order = reading.node.integers("perm")
    order = list(reversed(range(len(shape)))) if order is None else order
    if sorted(order) != list(range(len(shape))):
        raise reading.fault(f"orders {len(shape)} sides as {order[:9]}")
    return [tuple(shape[at] for at in order)]


def squeeze(reading: NodeInputs) -> list[Shape]:
    """Sides of 1 left out."""
    shape, axes = reading.shape(), reading.integers(1, "axes")
    gone = (
        {at for at, side in enumerate(shape) if side == 1}
        if axes is None
        else {reading.axis(a, len(shape)) for a in axes}
    )
    if any(shape[at] != 1 for at in gone):
        raise reading.fault(f"leaves out sides of {list(shape)} that are not 1")
    return [tuple(side for at, side in enumerate(shape) if at not in gone)]


def unsqueeze(reading: NodeInputs) -> list[Shape]:
    """Sides of 1 put in."""
    axes = reading.integers(1, "axes") or []
    rank = len(reading.shape()) + len(axes)
    at = {reading.axis(axis, rank) for axis in axes}
    if len(at) < len(axes):
        raise reading.fault("puts in a side twice")
    rest = iter(reading.shape())
    return [tuple(1 if place in at else next(rest) for place in range(rank))]


def concat(reading: NodeInputs) -> list[Shape]:
    """One behind the other along an axis."""
    shapes = [value.shape for value in reading.inputs if value is not None]
    axis = reading.axis(reading.node.integer("axis"), len(reading.shape()))
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(others) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise reading.fault(f"joins shapes that do not fit: {[list(shape) for shape in shapes[:3]]}")
    return [(*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])]


def split(reading: NodeInputs) -> list[Shape]:
    """Pieces along an axis."""
    shape = reading.shape()
    axis, count = reading.axis(reading.node.integer("axis"), len(shape)), len(reading.node.outputs)
    sizes = reading.integers(1, "split")
    if sizes is None:
        item = -(-shape[axis] // max(1, reading.node.integer("num_outputs", count)))
        sizes = [max(0, min(item, shape[axis] - at * item)) for at in range(count)]
    if sum(sizes) != shape[axis] or min(sizes, default=0) < 0 or len(sizes) != count:
        raise reading.fault(f"splits {shape[axis]} into {sizes[:9]}")
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def expand(reading: NodeInputs) -> list[Shape]:
    """Stretched to a shape."""
    return [broadcast_shapes(reading, [reading.shape(), tuple(reading.integers(1) or ())])]


def tile(reading: NodeInputs) -> list[Shape]:
    """Repeated along each axis."""
    times, shape = reading.integers(1) or [], reading.shape()
    if len(times) != len(shape) or min(times, default=0) < 0:
        raise reading.fault(f"repeats {list(shape)} {times[:9]} times")
    return [tuple(side * number for side, number in zip(shape, times, strict=True))]


def pad(reading: NodeInputs) -> list[Shape]:
    """More, or less where it is negative, at the ends of some axes."""
    shape, pads = reading.shape(), reading.integers(1, "pads") or []
    axes = reading.integers(3) if reading.given(3) else list(range(len(shape)))
    axes = [reading.axis(axis, len(shape)) for axis in axes or []]
    if len(pads) != 2 * len(axes) or len(set(axes)) < len(axes):
        raise reading.fault(f"pads {list(shape)} by {pads[:17]}")
    sides, mode = list(shape), reading.node.text("mode", "constant")
    for at, axis in enumerate(axes):
        before, after = pads[at], pads[at + len(axes)]
        if min(before, after) < -sides[axis] or (mode != "constant" and max(before, after) > sides[axis]):
            raise reading.fault(f"pads {list(shape)} by {pads[:17]}")
        sides[axis] += before + after
    return [tuple(sides)]


def constant(reading: NodeInputs) -> list[Shape]:
    """What the node itself holds."""
    names = list(reading.node.attributes)
    if names == ["value"]:
        return [reading.node.tensor("value").shape]
    if names in (["value_int"], ["value_float"]):
        return [()]
    if names == ["value_ints"]:
        return [(len(reading.node.integers("value_ints") or ()),)]
    if names == ["value_floats"]:
        return [(len(reading.node.numbers("value_floats")),)]
    raise reading.fault("holds no numbers")


def constant_of_shape(reading: NodeInputs) -> list[Shape]:
    """One number all over."""
    return [tuple(reading.integers(0) or ())]


def arange(reading: NodeInputs) -> list[Shape]:
    """Numbers from a start in steps up to an end."""
    start, end, step = (
        float(reading.known(at).reshape(-1)[0]) if reading.known(at).size == 1 else math.nan for at in range(3)
    )
    if not math.isfinite(start + end + step) or step == 0:
        raise reading.fault("counts in steps that do not end")
    return [(max(0, math.ceil((end - start) / step)),)]


def depth_to_space(reading: NodeInputs) -> list[Shape]:
    """Channels laid out as pixels."""
    shape, side = reading.shape(), reading.node.integer("blocksize")
    if len(shape) != 4 or side < 1 or shape[1] % (side * side):
        raise reading.fault(f"lays out {list(shape)} in squares of {side}")
    return [(shape[0], shape[1] // (side * side), shape[2] * side, shape[3] * side)]


def space_to_depth(reading: NodeInputs) -> list[Shape]:
    """Pixels laid out as channels."""
    shape, side = reading.shape(), reading.node.integer("blocksize")
    if len(shape) != 4 or side < 1 or shape[2] % side or shape[3] % side:
        raise reading.fault(f"gathers {list(shape)} from squares of {side}")
    return [(shape[0], shape[1] * side * side, shape[2] // side, shape[3] // side)]


def shape_of(reading: NodeInputs) -> list[Shape]:
    """How many sides there are."""
    start, end = reading.node.integer("start"), reading.node.integer("end", len(reading.shape()))
    return [(len(range(len(reading.shape()))[start:end]),)]


RULES: dict[str, Rule] = {
    "Reshape": reshape, "Flatten": flatten, "Transpose": transpose, "Squeeze": squeeze, "Unsqueeze": unsqueeze,
    "Concat": concat, "Split": split, "Expand": expand, "Tile": tile, "Pad": pad, "Constant": constant,
    "ConstantOfShape": constant_of_shape, "Range": arange, "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth, "Shape": shape_of, "Size": lambda _one: [()],
}  # fmt: skip
