"""The kinds of layers that a graph in LiteRT's format may have."""

from __future__ import annotations

from dataclasses import dataclass

from leansort.core.graphs.litert import schema, shape_layers, weight_layers
from leansort.core.graphs.litert.schema import TensorType
from leansort.core.graphs.litert.shape_layers import Rule


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
    "CONV_2D": OperatorKind(3, weight_layers.convolution, 3, 3, schema.ConvOptions, (1, 3), weighted=True),
    "DEPTHWISE_CONV_2D": OperatorKind(4, weight_layers.depthwise, 3, 3, schema.DepthwiseOptions, (1, 3), weighted=True),
    "FULLY_CONNECTED": OperatorKind(
        9, weight_layers.fully_connected, 3, 3, schema.FullyConnectedOptions, (1, 4), weighted=True
    ),
    "AVERAGE_POOL_2D": OperatorKind(1, shape_layers.pooling, options=schema.PoolOptions, steps="same"),
    "MAX_POOL_2D": OperatorKind(17, shape_layers.pooling, options=schema.PoolOptions, steps="same"),
    "MEAN": OperatorKind(40, shape_layers.reduction, 2, 2, schema.ReducerOptions),
    "SUM": OperatorKind(74, shape_layers.reduction_float, 2, 2, schema.ReducerOptions),
    "REDUCE_MIN": OperatorKind(89, shape_layers.reduction_float, 2, 2, schema.ReducerOptions),
    "ADD": OperatorKind(0, shape_layers.binary, 2, 2, schema.AddOptions),
    "SUB": OperatorKind(41, shape_layers.binary_float, 2, 2, schema.SubOptions),
    "MUL": OperatorKind(18, shape_layers.binary, 2, 2, schema.MulOptions),
    "DIV": OperatorKind(42, shape_layers.binary_float, 2, 2, schema.DivOptions),
    "MAXIMUM": OperatorKind(55, shape_layers.binary_float, 2, 2),
    "MINIMUM": OperatorKind(57, shape_layers.binary_float, 2, 2),
    "CONCATENATION": OperatorKind(2, shape_layers.concatenation, 2, 64, schema.ConcatenationOptions, steps="same"),
    "RESHAPE": OperatorKind(22, shape_layers.reshape, 2, 2, versions=(1, 1), steps="same"),
    "TRANSPOSE": OperatorKind(39, shape_layers.transpose, 2, 2, steps="same"),
    "PAD": OperatorKind(34, shape_layers.pad, 2, 2, steps="same"),
    "STRIDED_SLICE": OperatorKind(45, shape_layers.strided_slice, 4, 4, schema.StridedSliceOptions, steps="same"),
    "RELU": OperatorKind(19, shape_layers.same),
    "RELU6": OperatorKind(21, shape_layers.same),
    "RELU_N1_TO_1": OperatorKind(20, shape_layers.same_float),
    "RELU_0_TO_1": OperatorKind(152, shape_layers.same_float),
    "LEAKY_RELU": OperatorKind(98, shape_layers.leaky, options=schema.LeakyReluOptions),
    "HARD_SWISH": OperatorKind(117, shape_layers.same, versions=(1, 1)),
    "LOGISTIC": OperatorKind(14, shape_layers.same, steps="unit"),
    "TANH": OperatorKind(28, shape_layers.same_float),
    "GELU": OperatorKind(150, shape_layers.same_float, options=schema.GeluOptions),
    "SQUARE": OperatorKind(92, shape_layers.same_float),
    "SQRT": OperatorKind(75, shape_layers.same_float),
    "SOFTMAX": OperatorKind(25, shape_layers.softmax, options=schema.SoftmaxOptions),
    "CAST": OperatorKind(53, shape_layers.cast, options=schema.CastOptions, made=TensorType.FLOAT32),
    "QUANTIZE": OperatorKind(114, shape_layers.quantize, versions=(1, 2), made=TensorType.INT8),
    "DEQUANTIZE": OperatorKind(6, shape_layers.dequantize, versions=(1, 2), made=TensorType.FLOAT32),
}
NAMES = {kind.code: name for name, kind in KINDS.items()}
