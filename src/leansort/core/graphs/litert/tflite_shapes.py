"""LiteRT's layers without weights: what each makes of what it reads."""

from __future__ import annotations

import math
from collections.abc import Callable

from leansort.core.graphs.limits import SPAN
from leansort.core.graphs.litert.layer import Layer, Shape, elements
from leansort.core.graphs.litert.tflite_schema import TensorType

Rule = Callable[[Layer], Shape]
F, I8, U8, I32 = TensorType.FLOAT32, TensorType.INT8, TensorType.UINT8, TensorType.INT32


def same(layer: Layer) -> Shape:
    """One number for each."""
    layer.require_types((F,), (I8,))
    return layer.shape()


def same_float(layer: Layer) -> Shape:
    """One number for each, of floats alone."""
    layer.require_types((F,))
    return layer.shape()


def leaky(layer: Layer) -> Shape:
    """LEAKY_RELU."""
    if not 0 <= layer.options.alpha <= 1:
        raise layer.fault(f"has {layer.options.alpha} for alpha, allowed: 0 to 1")
    return same(layer)


def cast(layer: Layer) -> Shape:
    """CAST of pixels to floats."""
    layer.require_types((U8,))
    if (layer.options.given, layer.options.made) != (U8, F):
        raise layer.fault("makes other than floats of pixels")
    return layer.shape()


def quantize(layer: Layer) -> Shape:
    """QUANTIZE, of floats, of pixels, or of other steps."""
    layer.require_types((F,), (U8,), (I8,))
    return layer.shape()


def dequantize(layer: Layer) -> Shape:
    """DEQUANTIZE."""
    layer.require_types((I8,))
    return layer.shape()


def binary(layer: Layer) -> Shape:
    """Two values put together, numbers repeated along sides of 1."""
    layer.require_types((F, F), (I8, I8))
    if hasattr(layer.options, "activation"):
        layer.require_activation()
    a, b = (tensor.shape for tensor in layer.inputs)
    if len(a) != len(b) or len(a) > 4 or not all(x == y or 1 in (x, y) for x, y in zip(a, b, strict=True)):
        raise layer.fault(f"puts {list(a)} and {list(b)} together")
    return tuple(map(max, a, b))


def binary_float(layer: Layer) -> Shape:
    """Two values of floats alone put together."""
    layer.require_types((F, F))
    return binary(layer)


def pooling(layer: Layer) -> Shape:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    layer.require_types((F,), (I8,))
    layer.require_activation()
    kernel = layer.option("height", 1, SPAN), layer.option("width", 1, SPAN)
    shape = layer.shape(4)
    if kernel[0] > shape[1] or kernel[1] > shape[2]:
        raise layer.fault(f"has a window {kernel} that {list(shape)} has no room for")
    layer.products = math.prod(kernel)
    return (shape[0], *layer.windows(kernel), shape[3])


def reduction(layer: Layer) -> Shape:
    """One number in place of those along some axes."""
    layer.require_types((F, I32), (I8, I32))
    shape, axes = layer.shape(), layer.integers(1)
    if not all(0 <= axis < len(shape) for axis in axes) or len(set(axes)) < len(axes):
        raise layer.fault(f"has axes {list(axes)} of {list(shape)}")
    kept = [(1 if at in axes else side) for at, side in enumerate(shape) if layer.options.keep or at not in axes]
    if not kept:
        raise layer.fault("makes a number without dimensions")
    return tuple(kept)


def reduction_float(layer: Layer) -> Shape:
    """The same, of floats alone."""
    layer.require_types((F, I32))
    return reduction(layer)


def reshape(layer: Layer) -> Shape:
    """RESHAPE."""
    layer.require_types((F, I32), (I8, I32))
    made = layer.integers(1)
    if min(made) < 1 or math.prod(made) != elements(layer.shape()) or layer.inputs[1].shape != (len(made),):
        raise layer.fault(f"makes {list(made)} of {list(layer.shape())}")
    return made


def transpose(layer: Layer) -> Shape:
    """TRANSPOSE."""
    layer.require_types((F, I32), (I8, I32))
    shape, order = layer.shape(), layer.integers(1)
    if sorted(order) != list(range(len(shape))) or len(shape) > 4:
        raise layer.fault(f"has axes {list(order)} of {list(shape)}")
    return tuple(shape[axis] for axis in order)


def pad(layer: Layer) -> Shape:
    """PAD with zeros; constants (dimensions, 2)."""
    layer.require_types((F, I32), (I8, I32))
    shape, sides = layer.shape(4), layer.integers(1)
    if layer.inputs[1].shape != (4, 2) or not all(0 <= side <= SPAN for side in sides):
        raise layer.fault(f"has pads {list(sides)} of {list(shape)}")
    return tuple(side + sides[2 * at] + sides[2 * at + 1] for at, side in enumerate(shape))


def strided_slice(layer: Layer) -> Shape:
    """STRIDED_SLICE of positive steps; where it begins, where it ends, and its steps are constants."""
    layer.require_types((F, I32, I32, I32), (I8, I32, I32, I32))
    shape = layer.shape(4)
    begins, ends, steps = (layer.integers(number) for number in (1, 2, 3))
    if not len(begins) == len(ends) == len(steps) == 4 or any(item.shape != (4,) for item in layer.inputs[1:]):
        raise layer.fault(f"cuts {list(shape)} at {len(begins)} places")
    cuts = list(zip(begins, ends, steps, shape, strict=True))
    if not all(0 <= begin < end <= side and 0 < step <= SPAN for begin, end, step, side in cuts):
        raise layer.fault(f"cuts {list(shape)} from {list(begins)} to {list(ends)} by {list(steps)}")
    return tuple(-(-(end - begin) // step) for begin, end, step, _ in cuts)


def concatenation(layer: Layer) -> Shape:
    """CONCATENATION."""
    count = len(layer.inputs)
    layer.require_types((F,) * count, (I8,) * count)
    shapes, shape = [tensor.shape for tensor in layer.inputs], layer.shape()
    axis = layer.option("axis", 0, len(shape) - 1)
    layer.option("activation", 0, 0)
    others = {(*item[:axis], *item[axis + 1 :]) for item in shapes}
    if len(others) > 1 or any(len(item) != len(shape) for item in shapes):
        raise layer.fault(f"joins {', '.join(str(list(item)) for item in shapes[:4])}")
    return (*shape[:axis], sum(item[axis] for item in shapes), *shape[axis + 1 :])


def softmax(layer: Layer) -> Shape:
    """SOFTMAX of floats along the last axis."""
    if not 0 < layer.options.beta <= 1000:
        raise layer.fault(f"has {layer.options.beta} for beta")
    return same_float(layer)
