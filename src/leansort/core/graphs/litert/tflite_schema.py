"""The part of LiteRT's schema (`schema.fbs`) that bundles use: its tables, the numbers of fields, and enumerations.

A table that has more fields than these is of a graph that no bundle may have. `flatbuffer` reads and writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

IDENTIFIER = b"TFL3"
VERSION = 3


class TensorType(IntEnum):
    """Types of a tensor's elements."""

    FLOAT32 = 0
    INT32 = 2
    UINT8 = 3
    INT8 = 9


BYTES = {TensorType.FLOAT32: 4, TensorType.INT32: 4, TensorType.UINT8: 1, TensorType.INT8: 1}


class Padding(IntEnum):
    """What stands around what a window goes over."""

    SAME = 0
    VALID = 1


class Activation(IntEnum):
    """What a layer does last."""

    NONE = 0
    RELU = 1
    RELU_N1_TO_1 = 2
    RELU6 = 3


def slot(number: int, kind: object, otherwise: Any = 0) -> Any:
    """A field of a table.

    Args:
        number: of it in its table.
        kind: `struct`'s letter of a number, one in brackets for a list, `bytes`, `text`, a table, a list
            with a table in it for a list of tables, or `union`, whose type stands in the field before.
        otherwise: what it is where a file leaves it out.
    """
    return field(default=otherwise, metadata={"slot": number, "kind": kind})


@dataclass(frozen=True)
class ConvOptions:
    """Of CONV_2D."""

    padding: int = slot(0, "b")
    stride_w: int = slot(1, "i")
    stride_h: int = slot(2, "i")
    activation: int = slot(3, "b")
    dilation_w: int = slot(4, "i", 1)
    dilation_h: int = slot(5, "i", 1)


@dataclass(frozen=True)
class DepthwiseOptions:
    """Of DEPTHWISE_CONV_2D."""

    padding: int = slot(0, "b")
    stride_w: int = slot(1, "i")
    stride_h: int = slot(2, "i")
    multiplier: int = slot(3, "i")
    activation: int = slot(4, "b")
    dilation_w: int = slot(5, "i", 1)
    dilation_h: int = slot(6, "i", 1)


@dataclass(frozen=True)
class PoolOptions:
    """Of AVERAGE_POOL_2D and MAX_POOL_2D."""

    padding: int = slot(0, "b")
    stride_w: int = slot(1, "i")
    stride_h: int = slot(2, "i")
    width: int = slot(3, "i")
    height: int = slot(4, "i")
    activation: int = slot(5, "b")


@dataclass(frozen=True)
class FullyConnectedOptions:
    """Of FULLY_CONNECTED."""

    activation: int = slot(0, "b")


@dataclass(frozen=True)
class SoftmaxOptions:
    """Of SOFTMAX."""

    beta: float = slot(0, "f", 0.0)


@dataclass(frozen=True)
class ConcatenationOptions:
    """Of CONCATENATION."""

    axis: int = slot(0, "i")
    activation: int = slot(1, "b")


@dataclass(frozen=True)
class AddOptions:
    """Of ADD."""

    activation: int = slot(0, "b")


@dataclass(frozen=True)
class MulOptions:
    """Of MUL."""

    activation: int = slot(0, "b")


@dataclass(frozen=True)
class SubOptions:
    """Of SUB."""

    activation: int = slot(0, "b")


@dataclass(frozen=True)
class DivOptions:
    """Of DIV."""

    activation: int = slot(0, "b")


@dataclass(frozen=True)
class ReducerOptions:
    """Of MEAN, SUM and REDUCE_MIN."""

    keep: bool = slot(0, "?", False)


@dataclass(frozen=True)
class StridedSliceOptions:
    """Of STRIDED_SLICE, whose masks no bundle uses."""


@dataclass(frozen=True)
class CastOptions:
    """Of CAST."""

    given: int = slot(0, "b")
    made: int = slot(1, "b")


@dataclass(frozen=True)
class LeakyReluOptions:
    """Of LEAKY_RELU."""

    alpha: float = slot(0, "f", 0.0)


@dataclass(frozen=True)
class GeluOptions:
    """Of GELU."""

    approximate: bool = slot(0, "?", False)


OPTIONS: dict[int, type] = {  # by the number of the union's type
    1: ConvOptions, 2: DepthwiseOptions, 5: PoolOptions, 8: FullyConnectedOptions, 9: SoftmaxOptions,
    10: ConcatenationOptions, 11: AddOptions, 21: MulOptions, 27: ReducerOptions, 28: SubOptions, 29: DivOptions,
    32: StridedSliceOptions, 37: CastOptions, 75: LeakyReluOptions, 116: GeluOptions,
}  # fmt: skip


@dataclass(frozen=True)
class Buffer:
    """Bytes of a constant; the first of a model is empty, and that of all that is computed."""

    data: bytes = slot(0, "bytes", b"")


@dataclass(frozen=True)
class Quantization:
    """What steps of 8 bits, or sums of 32, are worth: one scale and zero point, or one an output channel."""

    scales: tuple[float, ...] = slot(2, "[f]", ())
    zero_points: tuple[int, ...] = slot(3, "[q]", ())
    axis: int = slot(6, "i")


@dataclass(frozen=True)
class Tensor:
    """A value: images are (1, rows, columns, channels)."""

    shape: tuple[int, ...] = slot(0, "[i]", ())
    type: int = slot(1, "b")
    buffer: int = slot(2, "I")
    name: str = slot(3, "text", "")
    quantization: Quantization | None = slot(4, Quantization, None)  # noqa: RUF009


@dataclass(frozen=True)
class OperatorCode:
    """A kind of operator, and since which version it is what it is."""

    short: int = slot(0, "b")
    version: int = slot(2, "i", 1)
    code: int = slot(3, "i")


@dataclass(frozen=True)
class Operator:
    """A layer: which kind it is, and the numbers of the tensors that it reads and makes."""

    kind: int = slot(0, "I")
    inputs: tuple[int, ...] = slot(1, "[i]", ())
    outputs: tuple[int, ...] = slot(2, "[i]", ())
    options: Any = slot(4, "union", None)  # noqa: RUF009


@dataclass(frozen=True)
class Subgraph:
    """Layers in the order in which they are computed."""

    tensors: tuple[Tensor, ...] = slot(0, [Tensor], ())
    inputs: tuple[int, ...] = slot(1, "[i]", ())
    outputs: tuple[int, ...] = slot(2, "[i]", ())
    operators: tuple[Operator, ...] = slot(3, [Operator], ())
    name: str = slot(4, "text", "")


@dataclass(frozen=True)
class Model:
    """A whole file."""

    version: int = slot(0, "I")
    codes: tuple[OperatorCode, ...] = slot(1, [OperatorCode], ())
    subgraphs: tuple[Subgraph, ...] = slot(2, [Subgraph], ())
    description: str = slot(3, "text", "")
    buffers: tuple[Buffer, ...] = slot(4, [Buffer], ())
