"""Shapes of what layers make, and what they cost: convolutions, matrix products, pooling, reductions, resizing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from leansort.core.graphs.limits import SPAN
from leansort.core.graphs.onnx_model import Shape
from leansort.core.graphs.shape_rules.axes import together
from leansort.core.graphs.shape_trace import Reading, Rule


def convolution(weight_at: int = 1) -> Rule:
    """Of (n, c, …) with weights (out, c of a group, …), which are that input."""

    def rule(one: Reading) -> list[Shape]:
        shape, weight = one.shape(), one.shape(weight_at)
        if (
            len(shape) < 3
            or len(weight) != len(shape)
            or (one.node.wholes("kernel_shape") or list(weight[2:])) != list(weight[2:])
        ):
            raise one.fault(f"reads {list(shape)} with weights {list(weight)}")
        if weight[1] * one.node.whole("group", 1) != shape[1]:
            raise one.fault(f"reads {shape[1]} channels with weights for {weight[1]} in each group")
        sides = _windows(one, shape[2:], weight[2:])
        out = (shape[0], weight[0], *sides)
        one.work = math.prod(out) * math.prod(weight[1:])
        if math.prod(weight[2:]) > 1:  # the pixels under each window, side by side
            one.scratch = math.prod(weight[1:]) * math.prod(sides)
        return [out]

    return rule


def transposed(one: Reading) -> list[Shape]:
    """A convolution the other way round; weights (c, out of a group, …)."""
    shape, weight = one.shape(), one.shape(1)
    rank = len(shape) - 2
    if rank < 1 or len(weight) != len(shape) or weight[0] != shape[1]:
        raise one.fault(f"reads {list(shape)} with weights {list(weight)}")
    strides, dilations, pads = _spans(one, rank)
    more = one.node.wholes("output_padding") or [0] * rank
    sides = one.node.wholes("output_shape")
    if len(more) != rank or not 0 <= min(more) <= max(more) <= SPAN or (sides is not None and len(sides) != rank):
        raise one.fault("pads what comes out along axes that it does not have")
    if sides is None and one.node.text("auto_pad", "NOTSET").startswith("SAME"):
        sides = [side * stride for side, stride in zip(shape[2:], strides, strict=True)]
    sides = sides or [
        stride * (side - 1) + extra + (kernel - 1) * dilation + 1 - pads[at] - pads[at + rank]
        for at, (side, stride, extra, kernel, dilation) in enumerate(
            zip(shape[2:], strides, more, weight[2:], dilations, strict=True)
        )
    ]
    if min(sides) < 1:
        raise one.fault(f"makes nothing of {list(shape)}")
    spread = math.prod(shape[2:]) * math.prod(weight[1:])
    one.work, one.scratch = shape[0] * shape[1] * spread, spread * max(1, one.node.whole("group", 1))
    return [(shape[0], weight[1] * one.node.whole("group", 1), *sides)]


def pooled(one: Reading) -> list[Shape]:
    """One number for each window."""
    shape, kernel = one.shape(), one.node.wholes("kernel_shape") or []
    if len(shape) < 3 or len(kernel) != len(shape) - 2 or not 1 <= min(kernel) <= max(kernel) <= SPAN:
        raise one.fault(f"pools {list(shape)} by {kernel[:9]}")
    out = (*shape[:2], *_windows(one, shape[2:], kernel, up=bool(one.node.whole("ceil_mode"))))
    one.work = math.prod(out) * math.prod(kernel)
    return [out] * max(1, len(one.node.outputs))


def _spans(one: Reading, rank: int) -> tuple[list[int], list[int], list[int]]:
    """Strides, dilations and pads."""
    strides, dilations = (one.node.wholes(name) or [1] * rank for name in ("strides", "dilations"))
    pads = one.node.wholes("pads") or [0] * 2 * rank
    if (len(strides), len(dilations), len(pads)) != (rank, rank, 2 * rank) or min(*strides, *dilations, 1) < 1:
        raise one.fault(f"has strides {strides[:9]}, dilations {dilations[:9]} and pads {pads[:9]}")
    if min(pads) < 0 or max(*pads, *strides, *dilations) > SPAN:
        raise one.fault(f"has strides {strides[:9]}, dilations {dilations[:9]} and pads {pads[:9]}")
    return strides, dilations, pads


def _windows(one: Reading, sides: Sequence[int], kernel: Sequence[int], *, up: bool = False) -> Shape:
    """How often a window fits along each side."""
    rank = len(sides)
    strides, dilations, pads = _spans(one, rank)
    auto, found = one.node.text("auto_pad", "NOTSET"), []
    for at, (side, size, stride, dilation) in enumerate(zip(sides, kernel, strides, dilations, strict=True)):
        room = side + (pads[at] + pads[at + rank] if auto == "NOTSET" else 0) - dilation * (size - 1) - 1
        if auto.startswith("SAME"):
            found.append(-(-side // stride))
        elif room < 0:
            raise one.fault(f"has windows {list(kernel)} that do not fit into {list(sides)}")
        else:
            found.append(-(-room // stride) + 1 if up else room // stride + 1)
    return tuple(found)


def product(left: int = 0, right: int = 1) -> Rule:
    """A matrix product of those inputs, as numpy's."""

    def rule(one: Reading) -> list[Shape]:
        a, b = one.shape(left), one.shape(right)
        if not a or not b:
            raise one.fault("multiplies a single number")
        wide_a, wide_b = a if len(a) > 1 else (1, *a), b if len(b) > 1 else (*b, 1)
        if wide_a[-1] != wide_b[-2]:
            raise one.fault(f"multiplies {list(a)} by {list(b)}")
        front = together(one, [wide_a[:-2], wide_b[:-2]])
        one.work = math.prod(front) * wide_a[-2] * wide_a[-1] * wide_b[-1]
        rows, columns = wide_a[-2:-1] if len(a) > 1 else (), wide_b[-1:] if len(b) > 1 else ()
        return [(*front, *rows, *columns)]

    return rule


def gemm(one: Reading) -> list[Shape]:
    """A matrix product of two sides, and something added."""
    a, b = one.shape(), one.shape(1)
    if len(a) != 2 or len(b) != 2:
        raise one.fault(f"multiplies {list(a)} by {list(b)}")
    a = a[::-1] if one.node.whole("transA") else a
    b = b[::-1] if one.node.whole("transB") else b
    if a[1] != b[0]:
        raise one.fault(f"multiplies {list(a)} by {list(b)}")
    out = (a[0], b[1])
    if one.given(2) and together(one, [out, one.shape(2)]) != out:
        raise one.fault(f"adds {list(one.shape(2))} to {list(out)}")
    one.work = a[0] * a[1] * b[1]
    return [out]


def einsum(one: Reading) -> list[Shape]:
    """Sums of products by letters."""
    text = one.node.text("equation").replace(" ", "")
    left, arrow, right = text.partition("->")
    terms, sides = left.split(","), dict[str, int]()
    shapes = [value.shape for value in one.inputs if value is not None]
    if not arrow or not all(part.isalpha() or not part for part in (*terms, right)) or len(terms) != len(shapes):
        raise one.fault("has an equation of another kind than 'ij,jk->ik'")
    for term, shape in zip(terms, shapes, strict=True):
        if len(term) != len(shape) or len(set(term)) < len(term):
            raise one.fault(f"reads {list(shape)} as {term[:20]}")
        for letter, side in zip(term, shape, strict=True):
            if sides.setdefault(letter, side) != side:
                raise one.fault(f"reads sides of {sides[letter]} and {side} as one")
    if not set(right) <= set(sides) or len(set(right)) < len(right):
        raise one.fault("makes sides that it does not read")
    one.work = math.prod(sides.values())
    one.scratch = one.work if len(terms) > 2 else sum(math.prod(shape) for shape in shapes)
    return [tuple(sides[letter] for letter in right)]


def reduced(one: Reading) -> list[Shape]:
    """One number in place of those along some axes."""
    shape, axes = one.shape(), one.wholes(1, "axes")
    if not axes and one.node.whole("noop_with_empty_axes"):
        return [shape]
    return [_without(one, {one.axis(axis, len(shape)) for axis in axes} if axes else set(range(len(shape))))]


def found(one: Reading) -> list[Shape]:
    """Where the largest or smallest along an axis is."""
    return [_without(one, {one.axis(one.node.whole("axis"), len(one.shape()))})]


def _without(one: Reading, gone: set[int]) -> Shape:
    kept = one.node.whole("keepdims", 1)
    return tuple(1 if at in gone else side for at, side in enumerate(one.shape()) if kept or at not in gone)


def pooled_all(one: Reading) -> list[Shape]:
    """One number for each channel."""
    if len(one.shape()) < 3:
        raise one.fault(f"pools {list(one.shape())}")
    return [(*one.shape()[:2], *(1 for _ in one.shape()[2:]))]


def resize(one: Reading) -> list[Shape]:
    """Pictures of another size."""
    shape, axes = one.shape(), one.node.wholes("axes")
    at = list(range(len(shape))) if axes is None else [one.axis(axis, len(shape)) for axis in axes]
    if one.node.text("keep_aspect_ratio_policy", "stretch") != "stretch" or len(set(at)) < len(at):
        raise one.fault("resizes by other means than stretching")
    sizes = one.wholes(3)
    if not sizes:
        scales = [float(scale) for scale in one.known(2).reshape(-1)]
        if len(scales) != len(at) or not all(0 < scale < 1e6 for scale in scales):
            raise one.fault(f"resizes {list(shape)} by {scales[:9]}")
        sizes = [math.floor(shape[axis] * scale) for axis, scale in zip(at, scales, strict=True)]
    if len(sizes) != len(at) or min(sizes, default=1) < 1:
        raise one.fault(f"resizes {list(shape)} to {sizes[:9]}")
    sides = list(shape)
    for axis, size in zip(at, sizes, strict=True):
        sides[axis] = size
    one.work = 16 * (math.prod(shape) + math.prod(sides))
    one.scratch = math.prod(shape) + math.prod(sides)
    return [tuple(sides)]


def grid_sampled(one: Reading) -> list[Shape]:
    """Pictures read at other places."""
    shape, grid = one.shape(), one.shape(1)
    if len(shape) < 3 or len(grid) != len(shape) or grid[0] != shape[0] or grid[-1] != len(shape) - 2:
        raise one.fault(f"reads {list(shape)} at {list(grid)}")
    out = (*shape[:2], *grid[1:-1])
    one.work = 16 * math.prod(out)
    return [out]


def recurrent(gates: int) -> Rule:
    """A recurrent layer over (steps, n, features); weights (directions, gates x hidden, …)."""

    def rule(one: Reading) -> list[Shape]:
        shape, weight, again = one.shape(), one.shape(1), one.shape(2)
        if (len(shape), len(weight), len(again)) != (3, 3, 3) or one.node.whole("layout"):
            raise one.fault(f"reads {list(shape)} with weights {list(weight)}")
        directions, hidden = weight[0], again[-1]
        if weight[1] != gates * hidden:
            raise one.fault(f"reads {list(shape)} with weights {list(weight)}")
        one.work = math.prod(shape[:2]) * directions * gates * hidden * (shape[2] + hidden)
        one.scratch = math.prod(shape[:2]) * directions * gates * hidden
        state = (directions, shape[1], hidden)
        return [(shape[0], directions, shape[1], hidden), state, state]

    return rule


RULES: dict[str, Rule] = {
    "Conv": convolution(), "ConvInteger": convolution(), "QLinearConv": convolution(3), "ConvTranspose": transposed,
    "MaxPool": pooled, "AveragePool": pooled, "LpPool": pooled, "GlobalAveragePool": pooled_all,
    "GlobalMaxPool": pooled_all, "GlobalLpPool": pooled_all, "MatMul": product(), "MatMulInteger": product(),
    "QLinearMatMul": product(0, 3), "Gemm": gemm, "Einsum": einsum, "ArgMax": found, "ArgMin": found, "Resize": resize,
    "GridSample": grid_sampled, "RNN": recurrent(1), "GRU": recurrent(3), "LSTM": recurrent(4),
    **dict.fromkeys(
        ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
         "ReduceLogSumExp", "ReduceSumSquare"), reduced,
    ),
}  # fmt: skip
