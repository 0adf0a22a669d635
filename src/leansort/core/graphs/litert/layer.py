"""A layer with what it reads, as the rules of `tflite_weights` and `tflite_shapes` are given it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leansort.core.graphs.faults import UnsoundGraphError, quote
from leansort.core.graphs.limits import SPAN
from leansort.core.graphs.litert.tflite_schema import Activation, Padding, Tensor, TensorType

Shape = tuple[int, ...]
Pair = tuple[int, int]


@dataclass
class Layer:
    """One operator.

    Attributes:
        kind: LiteRT's word for what it computes.
        name: of what it makes.
        options: its table of options; None of a kind that has none.
        inputs: tensors that it reads.
        constants: bytes of each of these; empty of what is computed.
        products: multiply-adds for each number that comes out.
    """

    kind: str
    name: str
    options: Any
    inputs: Sequence[Tensor]
    constants: Sequence[bytes]
    products: int = 1

    def fault(self, text: str) -> UnsoundGraphError:
        """Build the error that names this layer."""
        return UnsoundGraphError(f"has a layer {quote(self.name)} ({self.kind}) that {text}")

    def shape(self, rank: int = 0) -> Shape:
        """Shape of the first input, of a number of dimensions where one is asked for.

        Raises:
            UnsoundGraphError: it has others.
        """
        shape = self.inputs[0].shape
        if rank and len(shape) != rank:
            raise self.fault(f"reads {list(shape)}, need {rank} dimensions")
        return shape

    def integers(self, number: int) -> tuple[int, ...]:
        """The whole numbers of a constant, in the order in which they lie.

        Raises:
            UnsoundGraphError: it is something else, or there are more than a layer needs.
        """
        tensor, data = self.inputs[number], self.constants[number]
        if tensor.type != TensorType.INT32 or not 0 < len(data) <= 256:
            raise self.fault("reads a shape that is no constant of whole numbers")
        return tuple(int(value) for value in np.frombuffer(data, "<i4"))

    def require_constant(self, number: int) -> None:
        """Refuse weights that are computed.

        Raises:
            UnsoundGraphError: they are.
        """
        if not self.constants[number]:
            raise self.fault("has weights that are no constant")

    def require_types(self, *allowed: tuple[TensorType, ...]) -> None:
        """Refuse types of what is read that are not among these.

        Raises:
            UnsoundGraphError: they are others.
        """
        if tuple(tensor.type for tensor in self.inputs) not in allowed:
            raise self.fault(f"reads types {[tensor.type for tensor in self.inputs]}")

    def option(self, name: str, least: int, most: int) -> int:
        """A whole number among the options.

        Raises:
            UnsoundGraphError: it is not within its limits.
        """
        value = getattr(self.options, name)
        if not least <= value <= most:
            raise self.fault(f"has {value} for {name}, allowed: {least} to {most}")
        return int(value)

    def require_activation(self) -> None:
        """Refuse an activation that there is not.

        Raises:
            UnsoundGraphError: it is such.
        """
        self.option("activation", 0, max(Activation))

    def windows(self, kernel: Pair, dilation: Pair = (1, 1)) -> Pair:
        """Rows and columns that come out where a window goes over the first input.

        Raises:
            UnsoundGraphError: it does not fit into it.
        """
        steps = self.option("stride_h", 1, SPAN), self.option("stride_w", 1, SPAN)
        if self.option("padding", 0, max(Padding)) == Padding.SAME:
            return _pair(-(-side // step) for side, step in zip(self.shape(4)[1:3], steps, strict=True))
        sides = zip(self.shape(4)[1:3], kernel, steps, dilation, strict=True)
        made = _pair((side - reach * (size - 1) - 1) // step + 1 for side, size, step, reach in sides)
        if min(made) < 1:
            raise self.fault(f"has a window {kernel} that {list(self.shape())} has no room for")
        return made


def _pair(values: Any) -> Pair:
    rows, columns = values
    return rows, columns


def elements(shape: Shape) -> int:
    """How many numbers a shape holds."""
    return math.prod(shape)
