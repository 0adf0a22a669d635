"""Convolutions and matrix products in LiteRT's format: weights with their channels last, 8 bits by output channel."""

from __future__ import annotations

import numpy as np

from leansort.core.graphs.litert.tflite_schema import (
    Activation,
    ConvOptions,
    DepthwiseOptions,
    FullyConnectedOptions,
    Padding,
    Quantization,
)
from leansort.runtime.conversion.litert.lowering import Lowering, Rule, Value
from leansort.runtime.conversion.litert.onnx_reading import Array, Node

_ACTIVATIONS = {"": Activation.NONE, "Relu": Activation.RELU, "Relu6": Activation.RELU6}


def activation_of(node: Node) -> int:
    """LiteRT's number of what a layer does last."""
    return int(_ACTIVATIONS[node.activation])


def convolution(lowering: Lowering, node: Node) -> None:
    """A convolution of images; of as many groups as channels it is LiteRT's depthwise one."""
    value, weight = lowering.value(node), lowering.constant(node, 1)
    if not value.last or weight is None or weight.ndim != 4:
        lowering.fault(node, "is no convolution of images")
    stride, dilation = (node.attributes.get(name, [1, 1]) for name in ("strides", "dilations"))
    channels, groups = lowering.shape(value)[1], node.attributes.get("group", 1)
    value, padding = padded(lowering, node, value, weight.shape[2:], stride, dilation)
    each = groups == channels and weight.shape[1] == 1
    # With one channel in, both kinds would do; CONV_2D is then the plain one.
    if each and channels > 1:
        options: object = DepthwiseOptions(
            padding, stride[1], stride[0], len(weight) // channels, activation_of(node), dilation[1], dilation[0]
        )
        made = _weighted(lowering, node, "DEPTHWISE_CONV_2D", value, weight.transpose(1, 2, 3, 0), 3, options)
    else:
        options = ConvOptions(padding, stride[1], stride[0], activation_of(node), dilation[1], dilation[0])
        made = _weighted(lowering, node, "CONV_2D", value, weight.transpose(0, 2, 3, 1), 0, options)
    lowering.store(node, made, last=True)


def padded(
    lowering: Lowering, node: Node, value: Value, kernel: tuple[int, ...], stride: list[int], dilation: list[int]
) -> tuple[Value, int]:
    """Pads as LiteRT's own word for them where it has one, else by a layer before this one."""
    pads, auto = node.attributes.get("pads", [0, 0, 0, 0]), node.attributes.get("auto_pad", b"NOTSET")
    if auto not in (b"NOTSET", b"VALID"):
        lowering.fault(node, f"pads by {auto.decode()}, need pads as numbers")
    if not any(pads):
        return value, Padding.VALID
    sides = lowering.shape(value)[2:]
    if pads == _same_pads(sides, kernel, stride, dilation):
        return value, Padding.SAME
    return with_zeros(lowering, node, value, pads), Padding.VALID


def with_zeros(lowering: Lowering, node: Node, value: Value, pads: list[int]) -> Value:
    """An image with zeros around it, top, left, bottom, right; in 8 bits LiteRT takes the number that stands for it."""
    around = [[0, 0], [pads[0], pads[2]], [pads[1], pads[3]], [0, 0]]
    more, steps = lowering.builder.integers(around, node.output), lowering.builder.steps(value.tensor)
    return Value(lowering.builder.layer("PAD", [value.tensor, more], f"{node.output}/padded", None, steps), last=True)


def _same_pads(sides: tuple[int, ...], kernel: tuple[int, ...], stride: list[int], dilation: list[int]) -> list[int]:
    """What LiteRT pads where it is to make as many rows and columns as there are steps: more behind than before."""
    before, behind = [], []
    for side, size, step, reach in zip(sides, kernel, stride, dilation, strict=True):
        whole = max(0, (-(-side // step) - 1) * step + (size - 1) * reach + 1 - side)
        before.append(whole // 2)
        behind.append(whole - whole // 2)
    return [*before, *behind]


def matrix_product(lowering: Lowering, node: Node) -> None:
    """A product of features (1, n) with weights."""
    value, weight = lowering.value(node), lowering.constant(node, 1)
    factor, plus = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    if weight is None or weight.ndim != 2 or node.attributes.get("transA") or factor != 1 or plus != 1:
        lowering.fault(node, "is no product of features with constant weights")
    whole = weight if node.attributes.get("transB") else weight.T
    made = _weighted(lowering, node, "FULLY_CONNECTED", value, whole, 0, FullyConnectedOptions(activation_of(node)))
    lowering.store(node, made, last=False)


def _weighted(
    lowering: Lowering, node: Node, kind: str, value: Value, weight: Array, axis: int, options: object
) -> int:
    """Add a layer with weights whose output channels lie along an axis."""
    given, out = lowering.constant(node, 2), weight.shape[axis]
    bias = np.zeros(out) if given is None else np.broadcast_to(given.reshape(-1), (out,))
    steps, read = lowering.steps(node), lowering.builder.steps(value.tensor)
    scales = lowering.source.weight_scales.get(node.inputs[1])
    names = f"{node.name}/weight", f"{node.name}/bias"
    if steps is None or read is None or scales is None or len(scales) not in (1, out):
        floats = [
            lowering.builder.constant(array.astype(np.float32), name)
            for array, name in zip((weight, bias), names, strict=True)
        ]
        return lowering.builder.layer(kind, [lowering.as_float(value), *floats], node.output, options)
    scales_o = np.broadcast_to(scales.astype(np.float32), (out,))
    sides = [-1 if at == axis else 1 for at in range(weight.ndim)]
    whole = np.rint(weight / scales_o.astype(np.float64).reshape(sides)).astype(np.int8)
    sums_o = (np.float32(read.scale) * scales_o).astype(np.float32)
    far = np.iinfo(np.int32)
    bias_o = np.clip(np.rint(bias / sums_o.astype(np.float64)), far.min, far.max).astype(np.int32)
    numbers = [
        lowering.builder.constant(whole, names[0], _by_channel(scales_o, axis)),
        lowering.builder.constant(bias_o, names[1], _by_channel(sums_o, 0)),
    ]
    return lowering.builder.layer(kind, [value.tensor, *numbers], node.output, options, steps)


def _by_channel(scales_o: Array, axis: int) -> Quantization:
    return Quantization(tuple(map(float, scales_o)), (0,) * len(scales_o), axis)


RULES: dict[str, Rule] = {"Conv": convolution, "Gemm": matrix_product, "MatMul": matrix_product}
