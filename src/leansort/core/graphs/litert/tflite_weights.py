"""LiteRT's layers with weights: what they make, and whether their weights and scales fit."""

from __future__ import annotations

from leansort.core.graphs.limits import SPAN
from leansort.core.graphs.litert.layer import Layer, Shape
from leansort.core.graphs.litert.tflite_schema import Tensor, TensorType

TYPES = (
    (TensorType.FLOAT32, TensorType.FLOAT32, TensorType.FLOAT32),
    (TensorType.INT8, TensorType.INT8, TensorType.INT32),
)


def convolution(layer: Layer) -> Shape:
    """CONV_2D, in groups where its weights read fewer channels than there are; weights (out, rows, columns, in)."""
    out, rows, columns, depth = _weights(layer, 4, 0)
    channels = layer.shape(4)[3]
    if channels % depth or out % (channels // depth):
        raise layer.fault(f"does not fit what it reads, {list(layer.shape())}")
    layer.products = rows * columns * depth
    return (1, *_windows(layer, rows, columns), out)


def depthwise(layer: Layer) -> Shape:
    """DEPTHWISE_CONV_2D; weights (1, rows, columns, out)."""
    first, rows, columns, out = _weights(layer, 4, 3)
    channels = layer.shape(4)[3]
    if first != 1 or out != channels * layer.option("multiplier", 1, SPAN):
        raise layer.fault(f"does not fit what it reads, {list(layer.shape())}")
    layer.products = rows * columns
    return (1, *_windows(layer, rows, columns), out)


def fully_connected(layer: Layer) -> Shape:
    """FULLY_CONNECTED; weights (out, in)."""
    out, features = _weights(layer, 2, 0)
    if layer.shape(2) != (1, features):
        raise layer.fault(f"does not fit what it reads, {list(layer.shape())}")
    layer.products = features
    layer.require_activation()
    return 1, out


def _windows(layer: Layer, rows: int, columns: int) -> tuple[int, int]:
    layer.require_activation()
    reach = layer.option("dilation_h", 1, SPAN), layer.option("dilation_w", 1, SPAN)
    if layer.shape(4)[0] != 1 or max(rows, columns) > SPAN:
        raise layer.fault(f"has a window ({rows}, {columns}) over {list(layer.shape())}")
    return layer.windows((rows, columns), reach)


def _weights(layer: Layer, rank: int, axis: int) -> Shape:
    """Shape of the weights, whose biases and scales lie along an axis."""
    layer.require_types(*TYPES)
    _, weight, bias = layer.inputs
    for number in (1, 2):
        layer.require_constant(number)
    if len(weight.shape) != rank or bias.shape != (weight.shape[axis],):
        raise layer.fault(f"has weights {list(weight.shape)} and biases {list(bias.shape)}")
    if weight.type == TensorType.INT8:
        _require_scales(layer, weight, axis)
        _require_scales(layer, bias, 0)
    return weight.shape


def _require_scales(layer: Layer, tensor: Tensor, axis: int) -> None:
    """A scale for each output channel, and zero where nothing is; `graph` has looked at the scales themselves."""
    steps = tensor.quantization
    if steps is None or steps.axis != axis or len(steps.scales) != tensor.shape[axis] or any(steps.zero_points):
        raise layer.fault("has weights whose scales are not one an output channel, with zero points of 0")
