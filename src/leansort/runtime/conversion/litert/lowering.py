"""What every layer is lowered with: values by their ONNX names, images with their channels last, 8 bits or floats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from leansort.core.errors import LeansortError
from leansort.core.graphs.faults import UnsoundGraphError
from leansort.core.graphs.litert.tflite_schema import Activation, AddOptions, MulOptions, Quantization
from leansort.runtime.conversion.litert.graph_builder import GraphBuilder
from leansort.runtime.conversion.litert.onnx_reading import Array, Node, OnnxGraph, Steps

LAST = (0, 2, 3, 1)  # ONNX's (n, channels, rows, columns) with the channels last
FIRST = (0, 3, 1, 2)
_STEPS = 127


@dataclass(frozen=True)
class Value:
    """What a name stands for.

    Attributes:
        tensor: its number.
        last: whether it lies with its channels last, other than ONNX has it.
    """

    tensor: int
    last: bool


@dataclass
class Lowering:
    """A graph under way.

    Attributes:
        source: the ONNX graph.
        builder: what is made of it.
        values: by their ONNX names.
        floats: values of 8 bits that were made floats, by the number of the tensor.
    """

    source: OnnxGraph
    builder: GraphBuilder
    values: dict[str, Value]
    floats: dict[int, int] = field(default_factory=dict)

    def fault(self, node: Node, text: str) -> NoReturn:
        """Refuse a layer in one line.

        Raises:
            LeansortError: always.
        """
        raise LeansortError(f"export: LiteRT: layer {node.name!r} ({node.kind}) {text}")

    def value(self, node: Node, number: int = 0) -> Value:
        """An input that is computed.

        Raises:
            LeansortError: it is a constant, or not there.
        """
        name = node.inputs[number] if number < len(node.inputs) else ""
        if name not in self.values:
            self.fault(node, f"reads {name!r}, which is not computed")
        return self.values[name]

    def constant(self, node: Node, number: int) -> Array | None:
        """An input that is a constant; None where it is left out.

        Raises:
            LeansortError: it is computed.
        """
        name = node.inputs[number] if number < len(node.inputs) else ""
        if name and name not in self.source.constants:
            self.fault(node, f"reads {name!r}, which must be a constant")
        return self.source.constants[name] if name else None

    def shape(self, value: Value) -> tuple[int, ...]:
        """The shape of a value as ONNX has it."""
        shape = self.builder.tensors[value.tensor].shape
        return tuple(shape[axis] for axis in FIRST) if value.last else shape

    def axis(self, value: Value, axis: int) -> int:
        """An axis of ONNX's where it lies now."""
        rank = len(self.builder.tensors[value.tensor].shape)
        return LAST.index(axis % rank) if value.last else axis % rank

    def steps(self, node: Node) -> Steps | None:
        """What the 8 bits stand for that a layer's output is to become; None of floats."""
        return self.source.steps.get(node.output)

    def is_int8(self, *values: Value) -> bool:
        """Whether all values are in 8 bits."""
        return all(self.builder.steps(value.tensor) is not None for value in values)

    def as_float(self, value: Value) -> int:
        """The tensor of a value in floats."""
        if self.builder.steps(value.tensor) is None:
            return value.tensor
        if value.tensor not in self.floats:
            name = f"{self.builder.tensors[value.tensor].name}/float"
            self.floats[value.tensor] = self.builder.layer("DEQUANTIZE", [value.tensor], name)
        return self.floats[value.tensor]

    def with_steps(self, tensor: int, steps: Steps, name: str) -> int:
        """A tensor in 8 bits of those steps: itself, or a layer that makes them."""
        if self.builder.steps(tensor) == _rounded(steps):
            return tensor
        return self.builder.layer("QUANTIZE", [tensor], f"{name}/steps", None, steps)

    def store(self, node: Node, tensor: int, *, last: bool) -> None:
        """Keep what a layer has made."""
        self.values[node.output] = Value(tensor, last)

    def keeping_steps(self, node: Node, value: Value, kind: str, more: list[int], options: object = None) -> int:
        """Add a layer that makes the steps that it reads; of floats where none are asked for."""
        steps = self.steps(node)
        if steps is None or not self.is_int8(value):
            return self.builder.layer(kind, [self.as_float(value), *more], node.output, options)
        made = self.builder.layer(kind, [value.tensor, *more], node.output, options, self.builder.steps(value.tensor))
        return self.with_steps(made, steps, node.output)

    def operand(self, node: Node, number: int, like: Value, *, int8: bool) -> int:
        """The tensor of an input of two, a constant laid out like the other input."""
        name = node.inputs[number]
        if name in self.values:
            value = self.values[name]
            return value.tensor if int8 else self.as_float(value)
        array = np.asarray(self.source.constants[name], np.float64)
        array = array.reshape((1,) * (len(self.shape(like)) - array.ndim) + array.shape)
        if like.last:
            array = array.transpose(LAST)
        if not int8:
            return self.builder.constant(array.astype(np.float32), name)
        return self.constant_int8(array, name, self.source.steps.get(name))

    def constant_int8(self, array: Array, name: str, steps: Steps | None = None) -> int:
        """A constant in 8 bits, of steps as given or as large as its largest number asks for."""
        steps = steps or Steps(float(np.abs(array).max() or 1) / _STEPS, 0)
        whole = np.clip(np.rint(array / steps.scale) + steps.zero, -128, 127).astype(np.int8)
        return self.builder.constant(whole, name, Quantization((float(np.float32(steps.scale)),), (steps.zero,)))

    def scaled(self, tensor: int, plus: float, times: float, out: Steps | None, name: str) -> int:
        """(x + plus) kept within 0 and 1 / times, times `times`: a hard sigmoid."""
        rank = (1,) * len(self.builder.tensors[tensor].shape)
        numbers = {f"{name}/plus": np.full(rank, plus), f"{name}/times": np.full(rank, times)}
        if out is None:
            with_it = [self.builder.constant(array.astype(np.float32), key) for key, array in numbers.items()]
        else:
            with_it = [self.constant_int8(array, key) for key, array in numbers.items()]
        # In 8 bits the sum gets the steps of the result, so that the product moves no number.
        between = None if out is None else Steps(out.scale / times, out.zero)
        made = self.builder.layer("ADD", [tensor, with_it[0]], f"{name}/sum", AddOptions(Activation.RELU6), between)
        return self.builder.layer("MUL", [made, with_it[1]], name, MulOptions(), out)


Rule = Callable[[Lowering, Node], None]


def _rounded(steps: Steps) -> Steps:
    return Steps(float(np.float32(steps.scale)), steps.zero)


def run(lowering: Lowering, rules: dict[str, Rule]) -> None:
    """Lower every layer.

    Raises:
        LeansortError: one cannot be; it is named.
    """
    for node in lowering.source.nodes:
        if node.kind not in rules:
            lowering.fault(node, "is not among the layers that LiteRT is written for")
        try:
            rules[node.kind](lowering, node)
        except UnsoundGraphError as error:
            lowering.fault(node, f"does not fit: the graph {error}")
