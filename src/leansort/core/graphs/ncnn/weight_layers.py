"""Layers of NCNN that have weights: the shapes that they make, and the bytes that they take."""

from __future__ import annotations

import math
from collections.abc import Sequence

from leansort.core.graphs.faults import UnsoundGraphError
from leansort.core.graphs.limits import NUMBERS, SPAN
from leansort.core.graphs.ncnn.param_text import Layer

Shape = tuple[int, ...]  # (channels, rows, columns), (rows, columns) or (columns,), of one image: NCNN knows no batch
Pair = tuple[int, int]
FLOAT_TAG, INT8_TAG = b"\0\0\0\0", (0x000D4B38).to_bytes(4, "little")
_ACTIVATIONS = {0: 0, 1: 0, 2: 1, 3: 2, 4: 0, 5: 0, 6: 2}  # NCNN's numbers, and how many parameters each takes


class Weights:
    """The bytes behind the graph, which layers take from in their order.

    Args:
        data: `graph.ncnn.bin`.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def take(self, layer: Layer, count: int, *, tagged: bool = False, int8: bool = False) -> None:
        """Skip numbers of 32 bits, or of 8; tagged ones tell which, and whole numbers of 32 bits are filled up.

        Raises:
            UnsoundGraphError: there are not so many, or of another kind.
        """
        size = -(-count // 4) * 4 if int8 else 4 * count
        if tagged:
            if self._data[self.at : self.at + 4] != (INT8_TAG if int8 else FLOAT_TAG):
                raise layer.fault(f"has weights that are not {'int8' if int8 else 'float32'}")
            layer.weights, layer.weights_at = count, self.at
            self.at += 4
        self.at += size
        if self.at > len(self._data):
            raise layer.fault("has fewer weights than it needs")

    def require_end(self) -> None:
        """Refuse bytes that no layer took.

        Raises:
            UnsoundGraphError: there are some.
        """
        if self.at != len(self._data):
            raise UnsoundGraphError(f"is damaged ({len(self._data) - self.at} bytes of weights belong to no layer)")


def sides_of(layer: Layer, columns: int, rows: int, otherwise: int = 1) -> tuple[int, int]:
    """Rows and columns of a window, a stride or a dilation, by the numbers of their parameters."""
    wide = layer.integer(columns, otherwise, least=1, most=SPAN)
    return layer.integer(rows, wide, least=1, most=SPAN), wide


def window_of(
    layer: Layer, given: Shape, kernel: Pair, stride: Pair, pads: Sequence[int], dilation: Pair = (1, 1)
) -> tuple[int, int]:
    """Rows and columns that come out where a window goes over what is read."""
    if len(given) != 3:
        raise layer.fault(f"reads {given}, need channels, rows and columns")
    left, right, top, bottom = pads
    rooms = given[1] + top + bottom, given[2] + left + right
    rows, columns = (
        (room - reach * (side - 1) - 1) // step + 1
        for room, side, step, reach in zip(rooms, kernel, stride, dilation, strict=True)
    )
    if min(rows, columns) < 1:
        raise layer.fault(f"has a window that {given} has no room for")
    return rows, columns


def pads_of(layer: Layer, left: int, right: int, top: int, bottom: int) -> tuple[int, int, int, int]:
    """Rows and columns of padding, by the numbers of their parameters."""
    at_left = layer.integer(left, 0, most=SPAN)
    at_right, at_top = layer.integer(right, at_left, most=SPAN), layer.integer(top, at_left, most=SPAN)
    return at_left, at_right, at_top, layer.integer(bottom, at_top, most=SPAN)


def convolution(layer: Layer, given: Sequence[Shape], weights: Weights) -> Shape:
    """A convolution, of groups or of none."""
    out = layer.integer(0, least=1)
    pads = pads_of(layer, 4, 15, 14, 16)
    kernel, dilation, stride = sides_of(layer, 1, 11, 0), sides_of(layer, 2, 12), sides_of(layer, 3, 13)
    rows, columns = window_of(layer, given[0], kernel, stride, pads, dilation)
    groups = layer.integer(7, 1, least=1) if layer.kind == "ConvolutionDepthWise" else 1
    layer.products = given[0][0] // groups * math.prod(kernel)
    if given[0][0] % groups or out % groups or layer.integer(6) != out * layer.products:
        raise layer.fault(f"does not fit what it reads, {given[0]}")
    layer.real(18, 0.0)
    _take(layer, weights, out, out if layer.kind == "Convolution" else groups)
    return out, rows, columns


def inner_product(layer: Layer, given: Sequence[Shape], weights: Weights) -> Shape:
    """Weights for everything that is read, whatever its shape."""
    out, layer.products = layer.integer(0, least=1), math.prod(given[0])
    if len(given[0]) == 2 or layer.integer(2) != out * layer.products:
        raise layer.fault(f"does not fit what it reads, {given[0]}")
    _take(layer, weights, out, out, bias=1)
    return (out,)


def _take(layer: Layer, weights: Weights, out: int, scales: int, bias: int = 5) -> None:
    """Weights, biases and, in int8, scales: `scales` of them for the weights, and one for what is read."""
    int8 = layer.integer(8, 0, most=1 if layer.kind == "ConvolutionDepthWise" else 2)
    biased = layer.integer(bias, 0, most=1)
    weights.take(layer, out * layer.products, tagged=True, int8=bool(int8))
    if biased:
        weights.take(layer, out)
    if int8:
        weights.take(layer, scales + 1)
    kind = layer.integer(9, 0, most=max(_ACTIVATIONS))
    layer.reals(10, _ACTIVATIONS[kind])


def memory(layer: Layer, _given: Sequence[Shape], weights: Weights) -> Shape:
    """A constant."""
    sides = [layer.integer(number, 0) for number in (2, 1, 0)]
    made = tuple(side for side in sides if side)
    if not made or sides[len(sides) - len(made) :] != list(made) or math.prod(made) > NUMBERS:
        raise layer.fault(f"holds {sides}")
    weights.take(layer, math.prod(made))
    return made
