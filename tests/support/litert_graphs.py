"""A small sound graph in LiteRT's format, in 8 bits, as its tables: pixels, a convolution, a mean, and three logits."""

from __future__ import annotations

import numpy as np

from leansort.core.graphs.litert.tflite_schema import (
    VERSION,
    Buffer,
    ConvOptions,
    FullyConnectedOptions,
    Model,
    Operator,
    OperatorCode,
    Quantization,
    ReducerOptions,
    Subgraph,
    Tensor,
    TensorType,
)

SIZE, CLASSES = 8, 3


def sound_model() -> Model:
    """The tables; layer 0 gives the pixels a sign, 1 convolves, 2 takes the mean, 3 makes floats, 4 logits."""
    one = Quantization((0.5,), (-3,))
    each, sums = Quantization((0.25,) * 4, (0,) * 4), Quantization((0.125,) * 4, (0,) * 4)
    tensors = (
        Tensor((1, SIZE, SIZE, 3), TensorType.UINT8, 0, "image", Quantization((0.5,), (125,))),
        Tensor((1, SIZE, SIZE, 3), TensorType.INT8, 0, "pixels", one),
        Tensor((4, 3, 3, 3), TensorType.INT8, 1, "w", each),
        Tensor((4,), TensorType.INT32, 2, "b", sums),
        Tensor((1, 3, 3, 4), TensorType.INT8, 0, "conv", one),
        Tensor((2,), TensorType.INT32, 3, "axes"),
        Tensor((1, 4), TensorType.INT8, 0, "mean", one),
        Tensor((1, 4), TensorType.FLOAT32, 0, "features"),
        Tensor((3, 4), TensorType.FLOAT32, 4, "last"),
        Tensor((3,), TensorType.FLOAT32, 5, "bias"),
        Tensor((1, CLASSES), TensorType.FLOAT32, 0, "logits"),
    )
    codes = (OperatorCode(114, 2, 114), OperatorCode(3, 3, 3), OperatorCode(40, 2, 40), OperatorCode(6, 2, 6),
             OperatorCode(9, 1, 9))  # fmt: skip
    layers = (
        Operator(0, (0,), (1,)),
        Operator(1, (1, 2, 3), (4,), ConvOptions(1, 2, 2)),
        Operator(2, (4, 5), (6,), ReducerOptions(False)),
        Operator(3, (6,), (7,)),
        Operator(4, (7, 8, 9), (10,), FullyConnectedOptions()),
    )
    numbers = [np.ones(108, "<i1"), np.ones(4, "<i4"), np.array([1, 2], "<i4"), np.ones(12, "<f4"), np.ones(3, "<f4")]
    buffers = (Buffer(), *(Buffer(array.tobytes()) for array in numbers))
    return Model(VERSION, codes, (Subgraph(tensors, (0,), (10,), layers, "main"),), "leansort", buffers)
