"""Shapes of what operators that lay numbers out otherwise make of theirs: reshape, join, pad, tile, and so on."""

from __future__ import annotations

import math

from leansort.core.graphs.onnx_model import Shape
from leansort.core.graphs.shape_trace import Reading, Rule


def same(one: Reading) -> list[Shape]:
    """Each output like the first input."""
    return [one.shape()] * max(1, len(one.node.outputs))


def broadcast(one: Reading) -> list[Shape]:
    """All inputs stretched to one shape."""
    return [together(one, [value.shape for value in one.inputs if value is not None])]


def together(one: Reading, shapes: list[Shape]) -> Shape:
    """The one shape that several are stretched to."""
    rank = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    found = []
    for sides in zip(*padded, strict=True):
        among = {side for side in sides if side != 1}
        if len(among) > 1:
            raise one.fault(f"puts together shapes that do not fit: {[list(shape) for shape in shapes[:3]]}")
        found.append(among.pop() if among else 1)
    return tuple(found)


def reshape(one: Reading) -> list[Shape]:
    """As many numbers in another shape."""
    wanted, shape = one.wholes(1) or [], one.shape()
    zero = one.node.whole("allowzero")
    if any(side == 0 and not zero and at >= len(shape) for at, side in enumerate(wanted)) or wanted.count(-1) > 1:
        raise one.fault(f"reshapes {list(shape)} to {wanted[:9]}")
    sides = [shape[at] if side == 0 and not zero else side for at, side in enumerate(wanted)]
    rest = math.prod(side for side in sides if side != -1)
    if -1 in sides and rest > 0:
        sides[sides.index(-1)] = math.prod(shape) // rest
    if math.prod(sides) != math.prod(shape) or min(sides, default=0) < 0:
        raise one.fault(f"reshapes {list(shape)} to {wanted[:9]}")
    return [tuple(sides)]


def flatten(one: Reading) -> list[Shape]:
    """Two sides: what is before an axis, and what is behind it."""
    shape, axis = one.shape(), one.node.whole("axis", 1)
    axis = axis if axis == len(one.shape()) else one.axis(axis, len(shape))
    return [(math.prod(shape[:axis]), math.prod(shape[axis:]))]


def transpose(one: Reading) -> list[Shape]:
    """The sides in another order."""
    shape = one.shape()
    order = one.node.wholes("perm")
    order = list(reversed(range(len(shape)))) if order is None else order
    if sorted(order) != list(range(len(shape))):
        raise one.fault(f"orders {len(shape)} sides as {order[:9]}")
    return [tuple(shape[at] for at in order)]


def squeeze(one: Reading) -> list[Shape]:
    """Sides of 1 left out."""
    shape, axes = one.shape(), one.wholes(1, "axes")
    gone = (
        {at for at, side in enumerate(shape) if side == 1} if axes is None else {one.axis(a, len(shape)) for a in axes}
    )
    if any(shape[at] != 1 for at in gone):
        raise one.fault(f"leaves out sides of {list(shape)} that are not 1")
    return [tuple(side for at, side in enumerate(shape) if at not in gone)]


def unsqueeze(one: Reading) -> list[Shape]:
    """Sides of 1 put in."""
    axes = one.wholes(1, "axes") or []
    rank = len(one.shape()) + len(axes)
    at = {one.axis(axis, rank) for axis in axes}
    if len(at) < len(axes):
        raise one.fault("puts in a side twice")
    rest = iter(one.shape())
    return [tuple(1 if place in at else next(rest) for place in range(rank))]


def concat(one: Reading) -> list[Shape]:
    """One behind the other along an axis."""
    shapes = [value.shape for value in one.inputs if value is not None]
    axis = one.axis(one.node.whole("axis"), len(one.shape()))
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(others) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise one.fault(f"joins shapes that do not fit: {[list(shape) for shape in shapes[:3]]}")
    return [(*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])]


def split(one: Reading) -> list[Shape]:
    """Pieces along an axis."""
    shape = one.shape()
    axis, count = one.axis(one.node.whole("axis"), len(shape)), len(one.node.outputs)
    sizes = one.wholes(1, "split")
    if sizes is None:
        each = -(-shape[axis] // max(1, one.node.whole("num_outputs", count)))
        sizes = [max(0, min(each, shape[axis] - at * each)) for at in range(count)]
    if sum(sizes) != shape[axis] or min(sizes, default=0) < 0 or len(sizes) != count:
        raise one.fault(f"splits {shape[axis]} into {sizes[:9]}")
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def expand(one: Reading) -> list[Shape]:
    """Stretched to a shape."""
    return [together(one, [one.shape(), tuple(one.wholes(1) or ())])]


def tile(one: Reading) -> list[Shape]:
    """Repeated along each axis."""
    times, shape = one.wholes(1) or [], one.shape()
    if len(times) != len(shape) or min(times, default=0) < 0:
        raise one.fault(f"repeats {list(shape)} {times[:9]} times")
    return [tuple(side * number for side, number in zip(shape, times, strict=True))]


def pad(one: Reading) -> list[Shape]:
    """More, or less where it is negative, at the ends of some axes."""
    shape, pads = one.shape(), one.wholes(1, "pads") or []
    axes = one.wholes(3) if one.given(3) else list(range(len(shape)))
    axes = [one.axis(axis, len(shape)) for axis in axes or []]
    if len(pads) != 2 * len(axes) or len(set(axes)) < len(axes):
        raise one.fault(f"pads {list(shape)} by {pads[:17]}")
    sides, mode = list(shape), one.node.text("mode", "constant")
    for at, axis in enumerate(axes):
        before, after = pads[at], pads[at + len(axes)]
        if min(before, after) < -sides[axis] or (mode != "constant" and max(before, after) > sides[axis]):
            raise one.fault(f"pads {list(shape)} by {pads[:17]}")
        sides[axis] += before + after
    return [tuple(sides)]


def constant(one: Reading) -> list[Shape]:
    """What the node itself holds."""
    names = list(one.node.attributes)
    if names == ["value"]:
        return [one.node.tensor("value").shape]
    if names in (["value_int"], ["value_float"]):
        return [()]
    if names == ["value_ints"]:
        return [(len(one.node.wholes("value_ints") or ()),)]
    if names == ["value_floats"]:
        return [(len(one.node.numbers("value_floats")),)]
    raise one.fault("holds no numbers")


def filled(one: Reading) -> list[Shape]:
    """One number all over."""
    return [tuple(one.wholes(0) or ())]


def counted(one: Reading) -> list[Shape]:
    """Numbers from a start in steps up to an end."""
    start, end, step = (float(one.known(at).reshape(-1)[0]) if one.known(at).size == 1 else math.nan for at in range(3))
    if not math.isfinite(start + end + step) or step == 0:
        raise one.fault("counts in steps that do not end")
    return [(max(0, math.ceil((end - start) / step)),)]


def depth_to_space(one: Reading) -> list[Shape]:
    """Channels laid out as pixels."""
    shape, side = one.shape(), one.node.whole("blocksize")
    if len(shape) != 4 or side < 1 or shape[1] % (side * side):
        raise one.fault(f"lays out {list(shape)} in squares of {side}")
    return [(shape[0], shape[1] // (side * side), shape[2] * side, shape[3] * side)]


def space_to_depth(one: Reading) -> list[Shape]:
    """Pixels laid out as channels."""
    shape, side = one.shape(), one.node.whole("blocksize")
    if len(shape) != 4 or side < 1 or shape[2] % side or shape[3] % side:
        raise one.fault(f"gathers {list(shape)} from squares of {side}")
    return [(shape[0], shape[1] * side * side, shape[2] // side, shape[3] // side)]


def shape_of(one: Reading) -> list[Shape]:
    """How many sides there are."""
    start, end = one.node.whole("start"), one.node.whole("end", len(one.shape()))
    return [(len(range(len(one.shape()))[start:end]),)]


RULES: dict[str, Rule] = {
    "Reshape": reshape, "Flatten": flatten, "Transpose": transpose, "Squeeze": squeeze, "Unsqueeze": unsqueeze,
    "Concat": concat, "Split": split, "Expand": expand, "Tile": tile, "Pad": pad, "Constant": constant,
    "ConstantOfShape": filled, "Range": counted, "DepthToSpace": depth_to_space, "SpaceToDepth": space_to_depth,
    "Shape": shape_of, "Size": lambda _one: [()],
}  # fmt: skip
