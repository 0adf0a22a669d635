"""Layers that pool, join, cut and turn, in LiteRT's format: axes are where they lie with the channels last."""

from __future__ import annotations

import math

from leansort.core.graphs.litert import tflite_schema
from leansort.core.graphs.litert.tflite_schema import Padding
from leansort.runtime.conversion.litert.lowering import FIRST, Lowering, Rule, Value
from leansort.runtime.conversion.litert.onnx_reading import Node, Steps
from leansort.runtime.conversion.litert.weight_lowering import padded, with_zeros

_REDUCTIONS = {"ReduceSum": "SUM", "ReduceMin": "REDUCE_MIN"}


def mean(lowering: Lowering, node: Node) -> None:
    """A mean, in 8 bits where those are asked for."""
    value, steps = lowering.value(node), lowering.steps(node)
    int8 = steps is not None and lowering.is_int8(value)
    given = value.tensor if int8 else lowering.as_float(value)
    _reduce(lowering, node, "MEAN", given, value, steps if int8 else None)


def reduction(lowering: Lowering, node: Node) -> None:
    """A sum or a smallest number, of floats."""
    value = lowering.value(node)
    _reduce(lowering, node, _REDUCTIONS[node.kind], lowering.as_float(value), value)


def euclidean(lowering: Lowering, node: Node) -> None:
    """The root of a sum of squares, of floats."""
    value = lowering.value(node)
    squares = lowering.builder.layer("SQUARE", [lowering.as_float(value)], f"{node.output}/squares")
    _reduce(lowering, node, "SUM", squares, value, name=f"{node.output}/sum")
    sums = lowering.values[node.output]
    lowering.store(node, lowering.builder.layer("SQRT", [sums.tensor], node.output), last=sums.last)


def _reduce(
    lowering: Lowering, node: Node, kind: str, given: int, value: Value, steps: Steps | None = None, name: str = ""
) -> None:
    rank = len(lowering.shape(value))
    axes = lowering.constant(node, 1) if len(node.inputs) > 1 else node.attributes.get("axes")
    told = [2, 3] if node.kind == "GlobalAveragePool" else range(rank) if axes is None else [int(axis) for axis in axes]
    keep = bool(node.attributes.get("keepdims", 1))
    places = sorted(lowering.axis(value, axis) for axis in told)
    left = [axis for axis in range(rank) if axis not in places]
    if not keep and value.last and len(left) > 1 and left != [0, 3]:
        lowering.fault(node, "leaves sides of images without their channels' axis")
    options, along = tflite_schema.ReducerOptions(keep), lowering.builder.integers(places, node.output)
    made = lowering.builder.layer(kind, [given, along], name or node.output, options, steps)
    lowering.store(node, made, last=value.last and keep)


def reshape(lowering: Lowering, node: Node) -> None:
    """Another shape; an image's numbers are put in ONNX's order first, unless it has one of each channel."""
    value = lowering.value(node)
    shape = lowering.shape(value)
    whole = math.prod(shape)
    made = _told_shape(lowering, node, shape)
    if made.count(-1) == 1:
        made[made.index(-1)] = whole // max(1, -math.prod(made))
    if min(made, default=0) < 1 or math.prod(made) != whole:
        lowering.fault(node, f"makes {made} of {list(shape)}")
    if value.last and shape[2:] != (1, 1):
        order = lowering.builder.integers(FIRST, f"{node.output}/order")
        turned = lowering.builder.steps(value.tensor)
        value = Value(
            lowering.builder.layer("TRANSPOSE", [value.tensor, order], f"{node.output}/turned", None, turned),
            last=False,
        )
    sides = lowering.builder.integers(made, node.output)
    lowering.store(node, lowering.keeping_steps(node, value, "RESHAPE", [sides]), last=False)


def _told_shape(lowering: Lowering, node: Node, shape: tuple[int, ...]) -> list[int]:
    """The shape that a node asks for, of one image."""
    if node.kind == "Flatten":
        axis = node.attributes.get("axis", 1) % (len(shape) + 1)
        return [math.prod(shape[:axis]), math.prod(shape[axis:])]
    axes = lowering.constant(node, 1) if len(node.inputs) > 1 else node.attributes.get("axes", [])
    told = [int(axis) for axis in (axes if axes is not None else [])]
    if node.kind == "Reshape":
        return [shape[at] if side == 0 else side for at, side in enumerate(told)]
    if node.kind == "Squeeze":
        gone = {axis % len(shape) for axis in told} or {at for at, side in enumerate(shape) if side == 1}
        return [side for at, side in enumerate(shape) if at not in gone]
    made = list(shape)
    for axis in sorted(axis % (len(shape) + len(told)) for axis in told):
        made.insert(axis, 1)
    return made


def concatenation(lowering: Lowering, node: Node) -> None:
    """Values side by side, in the steps of the result."""
    values, steps = [lowering.value(node, number) for number in range(len(node.inputs))], lowering.steps(node)
    if len({value.last for value in values}) > 1:
        lowering.fault(node, "joins values that lie otherwise")
    options = tflite_schema.ConcatenationOptions(lowering.axis(values[0], node.attributes["axis"]))
    if steps is not None and lowering.is_int8(*values):
        given = [lowering.with_steps(value.tensor, steps, node.output) for value in values]
        made = lowering.builder.layer("CONCATENATION", given, node.output, options, steps)
    else:
        given = [lowering.as_float(value) for value in values]
        made = given[0] if len(given) == 1 else lowering.builder.layer("CONCATENATION", given, node.output, options)
    lowering.store(node, made, last=values[0].last)


def pooling(lowering: Lowering, node: Node) -> None:
    """Largest numbers or means of windows; pads that LiteRT has no word for are zeros, where those count."""
    value = lowering.value(node)
    kernel, stride = tuple(node.attributes["kernel_shape"]), node.attributes.get("strides", [1, 1])
    if (
        not value.last
        or node.attributes.get("ceil_mode")
        or any(side != 1 for side in node.attributes.get("dilations", [1]))
    ):
        lowering.fault(node, "has windows that LiteRT has no word for")
    pads, padding = node.attributes.get("pads", ()), int(Padding.VALID)
    if any(pads) and node.attributes.get("count_include_pad"):
        value = with_zeros(lowering, node, value, pads)
    elif any(pads):
        value, padding = padded(lowering, node, value, kernel, stride, [1, 1])
        if padding != Padding.SAME:
            lowering.fault(node, "has pads that LiteRT has no word for")
    kind = "MAX_POOL_2D" if node.kind == "MaxPool" else "AVERAGE_POOL_2D"
    options = tflite_schema.PoolOptions(padding, stride[1], stride[0], kernel[1], kernel[0])
    lowering.store(node, lowering.keeping_steps(node, value, kind, [], options), last=True)


def pad(lowering: Lowering, node: Node) -> None:
    """Zeros around."""
    value, pads = lowering.value(node), lowering.constant(node, 1)
    level = lowering.constant(node, 2) if len(node.inputs) > 2 else None
    mode = node.attributes.get("mode", b"constant")
    if (
        pads is None
        or mode != b"constant"
        or (level is not None and level.any())
        or not value.last
        or len(node.inputs) > 3
    ):
        lowering.fault(node, "pads otherwise than with zeros")
    sides = [[int(pads[axis]), int(pads[axis + 4])] for axis in (0, 2, 3, 1)]
    more = lowering.builder.integers(sides, node.output)
    lowering.store(node, lowering.keeping_steps(node, value, "PAD", [more]), last=True)


def cut(lowering: Lowering, node: Node) -> None:
    """A slice of positive steps."""
    value = lowering.value(node)
    if not value.last:
        lowering.fault(node, "cuts what is no image")
    shape = lowering.shape(value)
    begins, ends, axes, steps = (lowering.constant(node, number) for number in range(1, 5))
    places = range(len(shape)) if axes is None else [int(axis) % 4 for axis in axes]
    whole = {at: (0, side, 1) for at, side in enumerate(shape)}
    if begins is None or ends is None:
        lowering.fault(node, "does not say where it cuts")
    for number, axis in enumerate(places):
        step = 1 if steps is None else int(steps[number])
        if step < 1:
            lowering.fault(node, "cuts backwards")
        whole[axis] = slice(int(begins[number]), int(ends[number]), step).indices(shape[axis])
    by_axis = [whole[axis] for axis in (0, 2, 3, 1)]
    numbers = [lowering.builder.integers([item[at] for item in by_axis], node.output) for at in range(3)]
    made = lowering.keeping_steps(node, value, "STRIDED_SLICE", numbers, tflite_schema.StridedSliceOptions())
    lowering.store(node, made, last=True)


def softmax(lowering: Lowering, node: Node) -> None:
    """A softmax of features, of floats."""
    value = lowering.value(node)
    if len(lowering.shape(value)) != 2 or node.attributes.get("axis", -1) not in (1, -1):
        lowering.fault(node, "is no softmax of features")
    made = lowering.builder.layer("SOFTMAX", [lowering.as_float(value)], node.output, tflite_schema.SoftmaxOptions(1.0))
    lowering.store(node, made, last=False)


def same(lowering: Lowering, node: Node) -> None:
    """Nothing, as while a network is used."""
    lowering.values[node.output] = lowering.value(node)


RULES: dict[str, Rule] = {
    "ReduceMean": mean, "GlobalAveragePool": mean, **dict.fromkeys(_REDUCTIONS, reduction), "ReduceL2": euclidean,
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshape), "Concat": concatenation,
    "MaxPool": pooling, "AveragePool": pooling, "Pad": pad, "Slice": cut, "Softmax": softmax, "Identity": same,
    "Dropout": same,
}  # fmt: skip
