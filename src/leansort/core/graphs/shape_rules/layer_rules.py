"""Shapes of what layers make, and what they cost: convolutions, matrix products, pooling, reductions, resizing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from leansort.core.graphs.limits import SPAN
from leansort.core.graphs.onnx_model import Shape
from leansort.core.graphs.shape_rules.axes import broadcast_shapes
from leansort.core.graphs.shape_trace import NodeInputs, Rule


def convolution(weight_at: int = 1) -> Rule:
    """Of (n, c, …) with weights (out, c of a group, …), which are that input."""

    def rule(reading: NodeInputs) -> list[Shape]:
        shape, weight = reading.shape(), reading.shape(weight_at)
        if (
            len(shape) < 3
            or len(weight) != len(shape)
            or (reading.node.integers("kernel_shape") or list(weight[2:])) != list(weight[2:])
        ):
            raise reading.fault(f"reads {list(shape)} with weights {list(weight)}")
        if weight[1] * reading.node.integer("group", 1) != shape[1]:
            raise reading.fault(f"reads {shape[1]} channels with weights for {weight[1]} in each group")
        sides = _windows(reading, shape[2:], weight[2:])
        out = (shape[0], weight[0], *sides)
        reading.work = math.prod(out) * math.prod(weight[1:])
        if math.prod(weight[2:]) > 1:  # the pixels under each window, side by side
            reading.scratch = math.prod(weight[1:]) * math.prod(sides)
        return [out]

    return rule


def transposed_convolution(reading: NodeInputs) -> list[Shape]:
    """A convolution the other way round; weights (c, out of a group, …)."""
    shape, weight = reading.shape(), reading.shape(1)
    rank = len(shape) - 2
    if rank < 1 or len(weight) != len(shape) or weight[0] != shape[1]:
        raise reading.fault(f"reads {list(shape)} with weights {list(weight)}")
    strides, dilations, pads = _spans(reading, rank)
    more = reading.node.integers("output_padding") or [0] * rank
    sides = reading.node.integers("output_shape")
    if len(more) != rank or not 0 <= min(more) <= max(more) <= SPAN or (sides is not None and len(sides) != rank):
        raise reading.fault("pads what comes out along axes that it does not have")
    if sides is None and reading.node.text("auto_pad", "NOTSET").startswith("SAME"):
        sides = [side * stride for side, stride in zip(shape[2:], strides, strict=True)]
    sides = sides or [
        stride * (side - 1) + extra + (kernel - 1) * dilation + 1 - pads[at] - pads[at + rank]
        for at, (side, stride, extra, kernel, dilation) in enumerate(
            zip(shape[2:], strides, more, weight[2:], dilations, strict=True)
        )
    ]
    if min(sides) < 1:
        raise reading.fault(f"makes nothing of {list(shape)}")
    spread = math.prod(shape[2:]) * math.prod(weight[1:])
    reading.work, reading.scratch = shape[0] * shape[1] * spread, spread * max(1, reading.node.integer("group", 1))
    return [(shape[0], weight[1] * reading.node.integer("group", 1), *sides)]


def pooling(reading: NodeInputs) -> list[Shape]:
    """One number for each window."""
    shape, kernel = reading.shape(), reading.node.integers("kernel_shape") or []
    if len(shape) < 3 or len(kernel) != len(shape) - 2 or not 1 <= min(kernel) <= max(kernel) <= SPAN:
        raise reading.fault(f"pools {list(shape)} by {kernel[:9]}")
    out = (*shape[:2], *_windows(reading, shape[2:], kernel, up=bool(reading.node.integer("ceil_mode"))))
    reading.work = math.prod(out) * math.prod(kernel)
    return [out] * max(1, len(reading.node.outputs))


def _spans(reading: NodeInputs, rank: int) -> tuple[list[int], list[int], list[int]]:
    """Strides, dilations and pads."""
    strides, dilations = (reading.node.integers(name) or [1] * rank for name in ("strides", "dilations"))
    pads = reading.node.integers("pads") or [0] * 2 * rank
    if (len(strides), len(dilations), len(pads)) != (rank, rank, 2 * rank) or min(*strides, *dilations, 1) < 1:
        raise reading.fault(f"has strides {strides[:9]}, dilations {dilations[:9]} and pads {pads[:9]}")
    if min(pads) < 0 or max(*pads, *strides, *dilations) > SPAN:
        raise reading.fault(f"has strides {strides[:9]}, dilations {dilations[:9]} and pads {pads[:9]}")
    return strides, dilations, pads


def _windows(reading: NodeInputs, sides: Sequence[int], kernel: Sequence[int], *, up: bool = False) -> Shape:
    """How often a window fits along each side."""
    rank = len(sides)
    strides, dilations, pads = _spans(reading, rank)
    auto, result = reading.node.text("auto_pad", "NOTSET"), []
    for at, (side, size, stride, dilation) in enumerate(zip(sides, kernel, strides, dilations, strict=True)):
        room = side + (pads[at] + pads[at + rank] if auto == "NOTSET" else 0) - dilation * (size - 1) - 1
        if auto.startswith("SAME"):
            result.append(-(-side // stride))
        elif room < 0:
            raise reading.fault(f"has windows {list(kernel)} that do not fit into {list(sides)}")
        else:
            result.append(-(-room // stride) + 1 if up else room // stride + 1)
    return tuple(result)


def matrix_product(left: int = 0, right: int = 1) -> Rule:
    """A matrix product of those inputs, as numpy's."""

    def rule(reading: NodeInputs) -> list[Shape]:
        a, b = reading.shape(left), reading.shape(right)
        if not a or not b:
            raise reading.fault("multiplies a single number")
        wide_a, wide_b = a if len(a) > 1 else (1, *a), b if len(b) > 1 else (*b, 1)
        if wide_a[-1] != wide_b[-2]:
            raise reading.fault(f"multiplies {list(a)} by {list(b)}")
        front = broadcast_shapes(reading, [wide_a[:-2], wide_b[:-2]])
        reading.work = math.prod(front) * wide_a[-2] * wide_a[-1] * wide_b[-1]
        rows, columns = wide_a[-2:-1] if len(a) > 1 else (), wide_b[-1:] if len(b) > 1 else ()
        return [(*front, *rows, *columns)]

    return rule


def gemm(reading: NodeInputs) -> list[Shape]:
    """A matrix product of two sides, and something added."""
    a, b = reading.shape(), reading.shape(1)
    if len(a) != 2 or len(b) != 2:
        raise reading.fault(f"multiplies {list(a)} by {list(b)}")
    a = a[::-1] if reading.node.integer("transA") else a
    b = b[::-1] if reading.node.integer("transB") else b
    if a[1] != b[0]:
        raise reading.fault(f"multiplies {list(a)} by {list(b)}")
    out = (a[0], b[1])
    if reading.given(2) and broadcast_shapes(reading, [out, reading.shape(2)]) != out:
        raise reading.fault(f"adds {list(reading.shape(2))} to {list(out)}")
    reading.work = a[0] * a[1] * b[1]
    return [out]


def einsum(reading: NodeInputs) -> list[Shape]:
    """Sums of products by letters."""
    text = reading.node.text("equation").replace(" ", "")
    left, arrow, right = text.partition("->")
    terms, sides = left.split(","), dict[str, int]()
    shapes = [value.shape for value in reading.inputs if value is not None]
    if not arrow or not all(part.isalpha() or not part for part in (*terms, right)) or len(terms) != len(shapes):
        raise reading.fault("has an equation of another kind than 'ij,jk->ik'")
    for term, shape in zip(terms, shapes, strict=True):
        if len(term) != len(shape) or len(set(term)) < len(term):
            raise reading.fault(f"reads {list(shape)} as {term[:20]}")
        for letter, side in zip(term, shape, strict=True):
            if sides.setdefault(letter, side) != side:
                raise reading.fault(f"reads sides of {sides[letter]} and {side} as one")
    if not set(right) <= set(sides) or len(set(right)) < len(right):
        raise reading.fault("makes sides that it does not read")
    reading.work = math.prod(sides.values())
    reading.scratch = reading.work if len(terms) > 2 else sum(math.prod(shape) for shape in shapes)
    return [tuple(sides[letter] for letter in right)]


def reduction(reading: NodeInputs) -> list[Shape]:
    """One number in place of those along some axes."""
    shape, axes = reading.shape(), reading.integers(1, "axes")
    if not axes and reading.node.integer("noop_with_empty_axes"):
        return [shape]
    return [_without(reading, {reading.axis(axis, len(shape)) for axis in axes} if axes else set(range(len(shape))))]


def arg_extremum(reading: NodeInputs) -> list[Shape]:
    """Where the largest or smallest along an axis is."""
    return [_without(reading, {reading.axis(reading.node.integer("axis"), len(reading.shape()))})]


def _without(reading: NodeInputs, gone: set[int]) -> Shape:
    kept = reading.node.integer("keepdims", 1)
    return tuple(1 if at in gone else side for at, side in enumerate(reading.shape()) if kept or at not in gone)


def global_pooling(reading: NodeInputs) -> list[Shape]:
    """One number for each channel."""
    if len(reading.shape()) < 3:
        raise reading.fault(f"pools {list(reading.shape())}")
    return [(*reading.shape()[:2], *(1 for _ in reading.shape()[2:]))]


def resize(reading: NodeInputs) -> list[Shape]:
    """Images of another size."""
    shape, axes = reading.shape(), reading.node.integers("axes")
    at = list(range(len(shape))) if axes is None else [reading.axis(axis, len(shape)) for axis in axes]
    if reading.node.text("keep_aspect_ratio_policy", "stretch") != "stretch" or len(set(at)) < len(at):
        raise reading.fault("resizes by other means than stretching")
    sizes = reading.integers(3)
    if not sizes:
        scales = [float(scale) for scale in reading.known(2).reshape(-1)]
        if len(scales) != len(at) or not all(0 < scale < 1e6 for scale in scales):
            raise reading.fault(f"resizes {list(shape)} by {scales[:9]}")
        sizes = [math.floor(shape[axis] * scale) for axis, scale in zip(at, scales, strict=True)]
    if len(sizes) != len(at) or min(sizes, default=1) < 1:
        raise reading.fault(f"resizes {list(shape)} to {sizes[:9]}")
    sides = list(shape)
    for axis, size in zip(at, sizes, strict=True):
        sides[axis] = size
    reading.work = 16 * (math.prod(shape) + math.prod(sides))
    reading.scratch = math.prod(shape) + math.prod(sides)
    return [tuple(sides)]


def grid_sample(reading: NodeInputs) -> list[Shape]:
    """Images read at other places."""
    shape, grid = reading.shape(), reading.shape(1)
    if len(shape) < 3 or len(grid) != len(shape) or grid[0] != shape[0] or grid[-1] != len(shape) - 2:
        raise reading.fault(f"reads {list(shape)} at {list(grid)}")
    out = (*shape[:2], *grid[1:-1])
    reading.work = 16 * math.prod(out)
    return [out]


def recurrent(gates: int) -> Rule:
    """A recurrent layer over (steps, n, features); weights (directions, gates x hidden, …)."""

    def rule(reading: NodeInputs) -> list[Shape]:
        shape, weight, again = reading.shape(), reading.shape(1), reading.shape(2)
        if (len(shape), len(weight), len(again)) != (3, 3, 3) or reading.node.integer("layout"):
            raise reading.fault(f"reads {list(shape)} with weights {list(weight)}")
        directions, hidden = weight[0], again[-1]
        if weight[1] != gates * hidden:
            raise reading.fault(f"reads {list(shape)} with weights {list(weight)}")
        reading.work = math.prod(shape[:2]) * directions * gates * hidden * (shape[2] + hidden)
        reading.scratch = math.prod(shape[:2]) * directions * gates * hidden
        state = (directions, shape[1], hidden)
        return [(shape[0], directions, shape[1], hidden), state, state]

    return rule


RULES: dict[str, Rule] = {
    "Conv": convolution(), "ConvInteger": convolution(), "QLinearConv": convolution(3),
    "ConvTranspose": transposed_convolution,
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), pooling),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), global_pooling),
    "MatMul": matrix_product(), "MatMulInteger": matrix_product(),
    "QLinearMatMul": matrix_product(0, 3), "Gemm": gemm, "Einsum": einsum, "ArgMax": arg_extremum,
    "ArgMin": arg_extremum, "Resize": resize, "GridSample": grid_sample,
    "RNN": recurrent(1), "GRU": recurrent(3), "LSTM": recurrent(4),
    **dict.fromkeys(
        ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
         "ReduceLogSumExp", "ReduceSumSquare"), reduction,
    ),
}  # fmt: skip
