"""Is an ONNX graph one that may be run? One image in, logits out, known operators, and no more than is allowed."""

from __future__ import annotations

import re

import numpy as np

from leansort.core.graphs import onnx_model
from leansort.core.graphs.faults import UnsoundGraphError, quote
from leansort.core.graphs.onnx_model import OWN_DOMAINS, Model, Shape, Value
from leansort.core.graphs.protobuf.messages import BOOL, FLOAT, INT8, INT32, INT64, UINT8
from leansort.core.graphs.shape_rules import axes, indexing, layer_rules, small_tensors
from leansort.core.graphs.shape_rules.axes import broadcast, same_shape
from leansort.core.graphs.shape_trace import GraphCost, Kind, NodeInputs, Rule, Trace, TracedValue, first_type

_FLATBUFFER = b"ORTM"  # ONNX Runtime's own format, which it would take such bytes for
_XML = re.compile(rb"<net[\s/>]")  # OpenVINO would take it for a graph of its own
_QUANTIZED = ("QuantizeLinear", "DequantizeLinear")  # also in the domain of ONNX Runtime's own operators
_SIZE_QUERIES = ("Shape", "Size")  # how large something is; all else is the same whatever the number of images
_UNARY = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BatchNormalization", "BitwiseNot", "Cast", "CastLike",
    "Ceil", "Celu", "Clip", "Cos", "Cosh", "CumSum", "CumProd", "DequantizeLinear", "Dropout", "Elu", "Erf", "Exp",
    "EyeLike", "Floor", "Gelu", "GroupNormalization", "HardSigmoid", "HardSwish", "Hardmax", "Identity",
    "InstanceNormalization", "IsInf", "IsNaN", "LRN", "LayerNormalization", "LeakyRelu", "Log", "LogSoftmax",
    "LpNormalization", "MeanVarianceNormalization", "Mish", "Neg", "Not", "QuantizeLinear", "RMSNormalization",
    "Reciprocal", "Relu", "ReverseSequence", "Round", "Scatter", "ScatterElements", "ScatterND", "Selu", "Shrink",
    "Sigmoid", "Sign", "Sin", "Sinh", "Softmax", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh",
    "ThresholdedRelu", "Trilu",
)  # fmt: skip
_BROADCAST = (
    "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor",
)  # fmt: skip
_BOOLEAN = (
    "And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Or", "Xor", "Not", "IsInf", "IsNaN",
)  # fmt: skip


_FRACTIONS = (FLOAT, 10, 11, 16)


def _divide(reading: NodeInputs) -> list[Shape]:
    """Whole numbers are divided by known ones only: by zero, the processor ends the program."""
    divisor = reading.value(1).known if reading.value(0).type not in _FRACTIONS else 1
    if divisor is None or not np.all(divisor > 0):
        raise reading.fault("divides whole numbers by what is not above zero")
    return broadcast(reading)


RULES: dict[str, Rule] = {
    **dict.fromkeys(_UNARY, same_shape),
    **dict.fromkeys(_BROADCAST, broadcast),
    **axes.RULES,
    **indexing.RULES,
    **layer_rules.RULES,
    "Div": _divide,
    "Mod": _divide,
    "DynamicQuantizeLinear": lambda item: [item.shape(), (), ()],
}


def _fixed_type(kind: int) -> Kind:
    return lambda _one, _number: kind


def _type_of_input(at: int, otherwise: int) -> Kind:
    return lambda item, _number: item.value(at).type if item.given(at) else otherwise


def _first_input_then(kind: int) -> Kind:
    """As the first input, and of that type whatever comes out second."""
    return lambda item, number: kind if number else first_type(item, 0)


def _type_of_constant(reading: NodeInputs, _number: int) -> int:
    tensors = [reading.node.tensor("value").type] if "value" in reading.node.attributes else []
    whole = {"value_int", "value_ints"} & reading.node.attributes.keys()
    return tensors[0] if tensors else INT64 if whole else FLOAT


def _type_in_attribute(attribute: str) -> Kind:
    return lambda item, _number: item.node.integer(attribute, first_type(item, 0))


KINDS: dict[str, Kind] = {
    **dict.fromkeys(_BOOLEAN, _fixed_type(BOOL)),
    **dict.fromkeys(("Shape", "Size", "ArgMax", "ArgMin"), _fixed_type(INT64)),
    **dict.fromkeys(("ConvInteger", "MatMulInteger"), _fixed_type(INT32)),
    **dict.fromkeys(("Constant", "ConstantOfShape"), _type_of_constant),
    "Cast": _type_in_attribute("to"),
    "EyeLike": _type_in_attribute("dtype"),
    **dict.fromkeys(("CastLike", "Where", "DequantizeLinear"), _type_of_input(1, FLOAT)),
    "QuantizeLinear": _type_of_input(2, UINT8),
    "OneHot": _type_of_input(2, FLOAT),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul"), _type_of_input(7, INT8)),
    **dict.fromkeys(("TopK", "MaxPool"), _first_input_then(INT64)),
    "Dropout": _first_input_then(BOOL),
    "DynamicQuantizeLinear": lambda _inputs, number: FLOAT if number == 1 else UINT8,
}


def check(graph: bytes, size: int, classes: int) -> GraphCost:
    """Refuse a graph that is not one for images of a size and so many classes, or that asks for too much.

    Args:
        graph: serialized ONNX.
        size: side of the images in pixels.
        classes: how many logits come out.

    Returns:
        What it needs for one image.

    Raises:
        UnsoundGraphError: why it must not be run.
    """
    if graph[4:8] == _FLATBUFFER or _XML.search(graph, 0, 8192):
        raise UnsoundGraphError("is no ONNX graph")
    read = onnx_model.read(graph)
    _require_ends(read, size)
    for node in read.nodes:
        if node.domain not in OWN_DOMAINS and not (node.domain == "com.microsoft" and node.kind in _QUANTIZED):
            raise UnsoundGraphError(f"has a {node} of the domain {quote(node.domain)}, which no bundle may have")
    needs = _trace(read, size, classes, 2)
    if any(node.kind in _SIZE_QUERIES for node in read.nodes):  # else one image takes no more than one of two
        return _trace(read, size, classes, 1)
    return GraphCost(-(-needs.numbers // 2), -(-needs.work // 2))


def _require_ends(read: Model, size: int) -> None:
    given = read.inputs
    if len(given) != 1 or given[0].type != UINT8 or not _is(given[0].shape, (size, size, 3)):
        raise UnsoundGraphError(f"reads {_describe(given)}, need one uint8 (b, {size}, {size}, 3)")
    if len(read.outputs) not in (1, 2) or any(item.type != FLOAT for item in read.outputs):
        raise UnsoundGraphError(f"gives {_describe(read.outputs)}, need one float (b, classes)")


def _is(shape: Shape | None, sides: Shape) -> bool:
    return shape is not None and len(shape) == 1 + len(sides) and shape[1:] == sides


def _describe(values: list[Value]) -> str:
    return (
        "; ".join(
            f"type {value.type} {'of no shape' if value.shape is None else list(value.shape)}" for value in values[:3]
        )
        or "nothing"
    )


def _trace(read: Model, size: int, classes: int, batch: int) -> GraphCost:
    trace = Trace(read, RULES, KINDS, small_tensors.KINDS, small_tensors.compute, batch)
    needs = trace.run({read.inputs[0].name: TracedValue((batch, size, size, 3), UINT8)})
    out = trace.values[read.outputs[0].name]
    if len(out.shape) == 2 and out.shape[0] == batch and out.shape[1] != classes:
        raise UnsoundGraphError(f"has {out.shape[1]} outputs, its labels are {classes}")
    if out.shape != (batch, classes) or out.type != FLOAT or out.fixed:
        text = "constants" if out.fixed else f"type {out.type} {list(out.shape)}"
        raise UnsoundGraphError(f"gives {text} for {batch} pictures, need one float ({batch}, {classes})")
    for value in (trace.values[item.name] for item in read.outputs[1:]):
        if value.shape != (batch, 1) or value.type != FLOAT or value.fixed:
            raise UnsoundGraphError(f"gives {list(value.shape)} second for {batch} pictures, need float ({batch}, 1)")
    return needs
