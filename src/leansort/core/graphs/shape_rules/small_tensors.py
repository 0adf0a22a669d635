"""The numbers of small tensors that decide shapes: computed by numpy while a graph is traced."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from leansort.core.graphs.limits import KNOWN
from leansort.core.graphs.onnx_model import Shape
from leansort.core.graphs.protobuf.messages import DTYPES
from leansort.core.graphs.shape_rules.indexing import slices
from leansort.core.graphs.shape_trace import Array, NodeInputs

_BY_SHAPE: dict[str, Callable[[Array, Shape], Any]] = {
    "Reshape": np.reshape,
    "Squeeze": np.reshape,
    "Unsqueeze": np.reshape,
    "Flatten": np.reshape,
    "Expand": np.broadcast_to,
    "Identity": np.reshape,
}
_PLAIN: dict[str, Callable[..., Any]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Neg": np.negative, "Abs": np.abs, "Floor": np.floor,
    "Ceil": np.ceil, "Sqrt": np.sqrt, "Equal": np.equal, "Greater": np.greater, "Less": np.less,
    "GreaterOrEqual": np.greater_equal, "LessOrEqual": np.less_equal, "Not": np.logical_not, "And": np.logical_and,
    "Or": np.logical_or, "Where": np.where,
}  # fmt: skip
_REDUCED: dict[str, Callable[..., Any]] = {
    "ReduceProd": np.prod,
    "ReduceSum": np.sum,
    "ReduceMax": np.max,
    "ReduceMin": np.min,
}


KINDS = frozenset(
    {*_BY_SHAPE, *_PLAIN, *_REDUCED, "Shape", "Size", "Constant", "Cast", "Concat", "Gather", "Slice",
     "ConstantOfShape", "Range", "Transpose", "Min", "Max", "Div", "Mod"}
)  # fmt: skip


def compute(reading: NodeInputs, shapes: list[Shape]) -> list[Array] | None:
    """Numbers of a node's outputs.

    Args:
        reading: the node and what it reads.
        shapes: of its outputs.

    Returns:
        One array an output; None where they are many, depend on the pixels, or nobody would make a shape of them.
    """
    kind = reading.node.kind
    if kind == "Shape":
        start, end = reading.node.integer("start"), reading.node.integer("end", len(reading.shape()))
        return [np.array(reading.shape()[start:end], np.int64)]
    if kind == "Size":
        return [np.array(math.prod(reading.shape()), np.int64)]
    if sum(map(math.prod, shapes)) > KNOWN:
        return None
    inputs = [None if value is None else value.known for value in reading.inputs]
    if any(known is None and value is not None for known, value in zip(inputs, reading.inputs, strict=True)):
        return None
    try:
        with np.errstate(all="ignore"):
            result = _compute_values(reading, kind, [known for known in inputs if known is not None], shapes)
    except (ValueError, TypeError, IndexError, OverflowError, FloatingPointError):
        return None
    fits = result is not None and [array.shape for array in result] == shapes
    return result if fits else None


def _compute_values(reading: NodeInputs, kind: str, inputs: list[Array], shapes: list[Shape]) -> list[Array] | None:
    if kind == "Constant":
        return _constant(reading)
    if kind in _BY_SHAPE:
        return [_BY_SHAPE[kind](inputs[0], shapes[0])]
    if kind in _PLAIN:
        return [np.asarray(_PLAIN[kind](*inputs))]
    if kind == "Cast":
        return [inputs[0].astype(DTYPES[reading.node.integer("to")])] if reading.node.integer("to") in DTYPES else None
    if kind == "Concat":
        return [np.concatenate(inputs, reading.node.integer("axis"))]
    if kind == "Gather":
        return [np.asarray(np.take(inputs[0], inputs[1], reading.node.integer("axis")))]
    if kind == "Slice":
        parts = dict(slices(reading))
        return [inputs[0][tuple(parts.get(axis, slice(None)) for axis in range(inputs[0].ndim))]]
    return _compute_other_values(reading, kind, inputs, shapes)


def _compute_other_values(
    reading: NodeInputs, kind: str, inputs: list[Array], shapes: list[Shape]
) -> list[Array] | None:
    if kind == "ConstantOfShape":
        value = reading.node.tensor("value").array() if "value" in reading.node.attributes else np.zeros(1, np.float32)
        return None if value is None or value.size != 1 else [np.full(shapes[0], value.reshape(-1)[0])]
    if kind == "Range":
        return [np.arange(*(item.reshape(-1)[0] for item in inputs), dtype=inputs[0].dtype)]
    if kind == "Transpose":
        return [np.transpose(inputs[0], reading.node.integers("perm"))]
    if kind in ("Min", "Max"):
        function = np.minimum if kind == "Min" else np.maximum
        out = inputs[0]
        for other in inputs[1:]:
            out = function(out, other)
        return [out]
    if kind in ("Div", "Mod"):
        return _divide(kind, *inputs)
    if kind in _REDUCED and reading.node.integer("keepdims", 1) == 0 and inputs[0].ndim == 1:
        return [np.asarray(_REDUCED[kind](inputs[0]), inputs[0].dtype)]
    return None


def _divide(kind: str, a: Array, b: Array) -> list[Array] | None:
    if a.dtype.kind == "f":
        return [a / b] if kind == "Div" else None
    if (a < 0).any() or (b <= 0).any():  # libraries differ in how they round these
        return None
    return [a // b if kind == "Div" else a % b]


def _constant(reading: NodeInputs) -> list[Array] | None:
    (name,) = reading.node.attributes
    if name == "value":
        array = reading.node.tensor("value").array()
        return None if array is None else [array]
    if name == "value_int":
        return [np.array(reading.node.integer(name), np.int64)]
    if name == "value_ints":
        return [np.array(reading.node.integers(name), np.int64)]
    if name == "value_float":
        return [np.array(reading.node.number(name, 0.0), np.float32)]
    return [np.array(reading.node.numbers(name), np.float32)]
