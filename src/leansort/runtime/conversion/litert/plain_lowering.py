"""Activations, sums and products in LiteRT's format, and the ways between 8 bits and floats."""

from __future__ import annotations

import numpy as np

from leansort.core.graphs.litert import tflite_schema
from leansort.core.graphs.litert.tflite_schema import TensorType
from leansort.runtime.conversion.litert.lowering import FIRST, Lowering, Rule
from leansort.runtime.conversion.litert.onnx_reading import PIXELS, Node, Steps, steps_of
from leansort.runtime.conversion.litert.weight_lowering import activation_of

_UNIT = Steps(1 / 256, -128)  # of LOGISTIC, which computes no others
_FLOAT = 1  # ONNX's number of the type
_BOTH = {"Relu": "RELU", "Relu6": "RELU6", "HardSwish": "HARD_SWISH"}  # kinds that know 8 bits
_FLOATS = {"Tanh": "TANH", "Sqrt": "SQRT", "ReluN1To1": "RELU_N1_TO_1", "Relu0To1": "RELU_0_TO_1"}


def quantize(lowering: Lowering, node: Node) -> None:
    """Into 8 bits, or nothing where the layer before made them."""
    value = lowering.value(node)
    made = lowering.with_steps(value.tensor, steps_of(lowering.source, node), node.output)
    lowering.store(node, made, last=value.last)


def dequantize(lowering: Lowering, node: Node) -> None:
    """Nothing: whoever reads takes 8 bits, or asks for floats."""
    lowering.values[node.output] = lowering.value(node)


def pixels(lowering: Lowering, node: Node) -> None:
    """The image's own bytes with a sign."""
    steps = steps_of(lowering.source, node)
    lowering.builder.describe_image(steps)
    lowering.store(node, lowering.builder.layer("QUANTIZE", [0], node.output, None, steps), last=True)


def transpose(lowering: Lowering, node: Node) -> None:
    """Channels to the front, which is another word for how an image lies here."""
    value, order = lowering.value(node), tuple(node.attributes.get("perm", ()))
    if value.last or order != FIRST:
        lowering.fault(node, f"turns axes to {list(order)}; only an image's channels are brought to the front")
    lowering.values[node.output] = type(value)(value.tensor, last=True)


def cast(lowering: Lowering, node: Node) -> None:
    """Pixels to floats."""
    value = lowering.value(node)
    if node.attributes.get("to") != _FLOAT or lowering.builder.tensors[value.tensor].type != TensorType.UINT8:
        lowering.fault(node, "makes other than floats of pixels")
    options = tflite_schema.CastOptions(TensorType.UINT8, TensorType.FLOAT32)
    lowering.store(node, lowering.builder.layer("CAST", [value.tensor], node.output, options), last=value.last)


def activation(lowering: Lowering, node: Node) -> None:
    """An activation that knows 8 bits as well."""
    value, steps = lowering.value(node), lowering.steps(node)
    int8 = steps is not None and lowering.is_int8(value)
    given = value.tensor if int8 else lowering.as_float(value)
    made = lowering.builder.layer(_BOTH[node.kind], [given], node.output, None, steps if int8 else None)
    lowering.store(node, made, last=value.last)


def activation_of_floats(lowering: Lowering, node: Node) -> None:
    """An activation of floats."""
    value = lowering.value(node)
    made = lowering.builder.layer(_FLOATS[node.kind], [lowering.as_float(value)], node.output)
    lowering.store(node, made, last=value.last)


def leaky(lowering: Lowering, node: Node) -> None:
    """A leaky ReLU, of floats."""
    value, options = lowering.value(node), tflite_schema.LeakyReluOptions(float(node.attributes.get("alpha", 0.01)))
    made = lowering.builder.layer("LEAKY_RELU", [lowering.as_float(value)], node.output, options)
    lowering.store(node, made, last=value.last)


def gelu(lowering: Lowering, node: Node) -> None:
    """GELU, of floats."""
    value = lowering.value(node)
    options = tflite_schema.GeluOptions(node.attributes.get("approximate", b"none") == b"tanh")
    made = lowering.builder.layer("GELU", [lowering.as_float(value)], node.output, options)
    lowering.store(node, made, last=value.last)


def sigmoid(lowering: Lowering, node: Node) -> None:
    """A sigmoid, whose steps LiteRT chooses."""
    value, steps = lowering.value(node), lowering.steps(node)
    if steps is not None and lowering.is_int8(value):
        made = lowering.builder.layer("LOGISTIC", [value.tensor], node.output, None, _UNIT)
        made = lowering.with_steps(made, steps, node.output)
    else:
        made = lowering.builder.layer("LOGISTIC", [lowering.as_float(value)], node.output)
    lowering.store(node, made, last=value.last)


def hard_sigmoid(lowering: Lowering, node: Node) -> None:
    """A hard sigmoid of a sixth, which LiteRT has no kind for: a sum within 0 and 6, a sixth of it."""
    value, steps = lowering.value(node), lowering.steps(node)
    times, plus = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
    if not np.isclose(times, 1 / 6) or plus != 0.5:
        lowering.fault(node, f"has alpha {times:g} and beta {plus:g}, need a sixth and a half")
    int8 = steps is not None and lowering.is_int8(value)
    given = value.tensor if int8 else lowering.as_float(value)
    made = lowering.scaled(given, 3.0, 1 / 6, steps if int8 else None, node.output)
    lowering.store(node, made, last=value.last)


def clip(lowering: Lowering, node: Node) -> None:
    """Limits that no activation of LiteRT's has, of floats."""
    value = lowering.value(node)
    made, sides = lowering.as_float(value), (1,) * len(lowering.shape(value))
    for kind, limit in (("MAXIMUM", "low"), ("MINIMUM", "high")):
        if np.isfinite(node.attributes[limit]):
            with_it = lowering.builder.constant(
                np.full(sides, node.attributes[limit], np.float32), f"{node.name}/{limit}"
            )
            made = lowering.builder.layer(kind, [made, with_it], f"{node.output}/{limit}")
    lowering.store(node, made, last=value.last)


def binary(kind: str, options: type, *, int8: bool) -> Rule:
    """Two values put together, one of them a constant or none; `int8` says whether LiteRT does it in 8 bits."""

    def rule(lowering: Lowering, node: Node) -> None:
        computed = [lowering.values[name] for name in node.inputs if name in lowering.values]
        like = max(computed, key=lambda value: len(lowering.shape(value)), default=None)
        if like is None or len({value.last for value in computed}) > 1:
            lowering.fault(node, "puts together values that lie otherwise")
        steps = lowering.steps(node) if int8 and lowering.is_int8(*computed) else None
        given = [lowering.operand(node, number, like, int8=steps is not None) for number in (0, 1)]
        made = lowering.builder.layer(kind, given, node.output, options(activation_of(node)), steps)
        lowering.store(node, made, last=like.last)

    return rule


RULES: dict[str, Rule] = {
    PIXELS: pixels, "QuantizeLinear": quantize, "DequantizeLinear": dequantize, "Transpose": transpose, "Cast": cast,
    **dict.fromkeys(_BOTH, activation), **dict.fromkeys(_FLOATS, activation_of_floats), "LeakyRelu": leaky,
    "Gelu": gelu, "Sigmoid": sigmoid, "HardSigmoid": hard_sigmoid, "Clip": clip,
    "Add": binary("ADD", tflite_schema.AddOptions, int8=True),
    "Mul": binary("MUL", tflite_schema.MulOptions, int8=True),
    "Sub": binary("SUB", tflite_schema.SubOptions, int8=False),
    "Div": binary("DIV", tflite_schema.DivOptions, int8=False),
}  # fmt: skip
