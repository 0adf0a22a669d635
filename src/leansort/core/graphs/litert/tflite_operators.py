"""The kinds of layers that a graph in LiteRT's format may have."""

from __future__ import annotations

from dataclasses import dataclass

from leansort.core.graphs.litert import tflite_schema, tflite_shapes, tflite_weights
from leansort.core.graphs.litert.tflite_schema import TensorType
from leansort.core.graphs.litert.tflite_shapes import Rule


@dataclass(frozen=True)
class OperatorKind:
    """One kind.

    Attributes:
        code: LiteRT's number of it.
        rule: the shape that it makes; it refuses what cannot be.
        least: inputs that it reads at least.
        most: inputs that it reads at most.
        options: its table of options; None where it has none.
        versions: of the operator: of floats, and of int8.
        made: type of what it makes; that of its first input where it is None.
        weighted: whether it has weights and biases.
        steps: what it asks of the scales: `same` of all that it reads and makes, `unit` of 1/256 from -128.
    """

    code: int
    rule: Rule
    least: int = 1
    most: int = 1
    options: type | None = None
    versions: tuple[int, int] = (1, 2)
    made: TensorType | None = None
    weighted: bool = False
    steps: str = ""


KINDS: dict[str, OperatorKind] = {
    "CONV_2D": OperatorKind(3, tflite_weights.convolution, 3, 3, tflite_schema.ConvOptions, (1, 3), weighted=True),
    "DEPTHWISE_CONV_2D": OperatorKind(
        4, tflite_weights.depthwise, 3, 3, tflite_schema.DepthwiseOptions, (1, 3), weighted=True
    ),
    "FULLY_CONNECTED": OperatorKind(
        9, tflite_weights.fully_connected, 3, 3, tflite_schema.FullyConnectedOptions, (1, 4), weighted=True
    ),
    "AVERAGE_POOL_2D": OperatorKind(1, tflite_shapes.pooling, options=tflite_schema.PoolOptions, steps="same"),
    "MAX_POOL_2D": OperatorKind(17, tflite_shapes.pooling, options=tflite_schema.PoolOptions, steps="same"),
    "MEAN": OperatorKind(40, tflite_shapes.reduction, 2, 2, tflite_schema.ReducerOptions),
    "SUM": OperatorKind(74, tflite_shapes.reduction_float, 2, 2, tflite_schema.ReducerOptions),
    "REDUCE_MIN": OperatorKind(89, tflite_shapes.reduction_float, 2, 2, tflite_schema.ReducerOptions),
    "ADD": OperatorKind(0, tflite_shapes.binary, 2, 2, tflite_schema.AddOptions),
    "SUB": OperatorKind(41, tflite_shapes.binary_float, 2, 2, tflite_schema.SubOptions),
    "MUL": OperatorKind(18, tflite_shapes.binary, 2, 2, tflite_schema.MulOptions),
    "DIV": OperatorKind(42, tflite_shapes.binary_float, 2, 2, tflite_schema.DivOptions),
    "MAXIMUM": OperatorKind(55, tflite_shapes.binary_float, 2, 2),
    "MINIMUM": OperatorKind(57, tflite_shapes.binary_float, 2, 2),
    "CONCATENATION": OperatorKind(
        2, tflite_shapes.concatenation, 2, 64, tflite_schema.ConcatenationOptions, steps="same"
    ),
    "RESHAPE": OperatorKind(22, tflite_shapes.reshape, 2, 2, versions=(1, 1), steps="same"),
    "TRANSPOSE": OperatorKind(39, tflite_shapes.transpose, 2, 2, steps="same"),
    "PAD": OperatorKind(34, tflite_shapes.pad, 2, 2, steps="same"),
    "STRIDED_SLICE": OperatorKind(
        45, tflite_shapes.strided_slice, 4, 4, tflite_schema.StridedSliceOptions, steps="same"
    ),
    "RELU": OperatorKind(19, tflite_shapes.same),
    "RELU6": OperatorKind(21, tflite_shapes.same),
    "RELU_N1_TO_1": OperatorKind(20, tflite_shapes.same_float),
    "RELU_0_TO_1": OperatorKind(152, tflite_shapes.same_float),
    "LEAKY_RELU": OperatorKind(98, tflite_shapes.leaky, options=tflite_schema.LeakyReluOptions),
    "HARD_SWISH": OperatorKind(117, tflite_shapes.same, versions=(1, 1)),
    "LOGISTIC": OperatorKind(14, tflite_shapes.same, steps="unit"),
    "TANH": OperatorKind(28, tflite_shapes.same_float),
    "GELU": OperatorKind(150, tflite_shapes.same_float, options=tflite_schema.GeluOptions),
    "SQUARE": OperatorKind(92, tflite_shapes.same_float),
    "SQRT": OperatorKind(75, tflite_shapes.same_float),
    "SOFTMAX": OperatorKind(25, tflite_shapes.softmax, options=tflite_schema.SoftmaxOptions),
    "CAST": OperatorKind(53, tflite_shapes.cast, options=tflite_schema.CastOptions, made=TensorType.FLOAT32),
    "QUANTIZE": OperatorKind(114, tflite_shapes.quantize, versions=(1, 2), made=TensorType.INT8),
    "DEQUANTIZE": OperatorKind(6, tflite_shapes.dequantize, versions=(1, 2), made=TensorType.FLOAT32),
}
NAMES = {kind.code: name for name, kind in KINDS.items()}
