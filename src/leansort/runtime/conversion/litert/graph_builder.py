"""Puts a graph in LiteRT's format together, layer by layer; shapes come from the rules that a reader holds it to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from leansort.core.graphs.litert import flatbuffer, tflite_tables
from leansort.core.graphs.litert import steps as steps_rules
from leansort.core.graphs.litert.layer import Layer
from leansort.core.graphs.litert.tflite_operators import KINDS
from leansort.core.graphs.litert.tflite_schema import (
    VERSION,
    Buffer,
    Model,
    Operator,
    OperatorCode,
    Quantization,
    Subgraph,
    Tensor,
    TensorType,
)
from leansort.runtime.conversion.litert.onnx_reading import Array, Steps

_TYPES = {"f": TensorType.FLOAT32, "i4": TensorType.INT32, "i1": TensorType.INT8, "u1": TensorType.UINT8}
DESCRIPTION = "leansort"


class GraphBuilder:
    """A graph under way; values are numbers of tensors.

    Args:
        size: side of the images in pixels.
    """

    def __init__(self, size: int) -> None:
        self._buffers, self._codes = [Buffer()], list[OperatorCode]()
        self._operators, self._known = list[Operator](), dict[tuple[Any, ...], int]()
        self._names = {"image"}
        self.tensors = [Tensor((1, size, size, 3), TensorType.UINT8, 0, "image")]

    def describe_image(self, steps: Steps) -> None:
        """Say what a step of the pixels stands for, which layers of 8 bits ask."""
        self.tensors[0] = Tensor(self.tensors[0].shape, TensorType.UINT8, 0, "image", _one(steps, 128))

    def constant(self, array: Array, name: str, quantization: Quantization | None = None) -> int:
        """Add a constant of float32, int32 or int8; equal ones are held once."""
        kind = _TYPES["f" if array.dtype.kind == "f" else f"i{array.dtype.itemsize}"]
        data = np.ascontiguousarray(array).tobytes()
        key = (data, array.shape, kind, quantization)
        if key not in self._known:
            self._buffers.append(Buffer(data))
            self._known[key] = self._tensor(array.shape, kind, name, quantization, len(self._buffers) - 1)
        return self._known[key]

    def integers(self, values: Sequence[int] | Sequence[Sequence[int]] | Array, name: str) -> int:
        """Add a constant of whole numbers, of which shapes, axes and pads are made."""
        return self.constant(np.asarray(values, np.int32), f"{name}/integers")

    def layer(
        self, kind: str, inputs: Sequence[int], name: str, options: Any = None, steps: Steps | None = None
    ) -> int:
        """Add a layer; return what it makes, in 8 bits where steps are given.

        Args:
            kind: one of `KINDS`.
            inputs: what it reads.
            name: of what it makes.
            options: of its kind.
            steps: of what it makes.

        Raises:
            UnsoundGraphError: it cannot be; the layer is named.
        """
        known, given = KINDS[kind], [self.tensors[number] for number in inputs]
        rule = Layer(kind, name, options, given, [self._buffers[item.buffer].data for item in given])
        made = given[0].type if known.made is None else known.made
        out = Tensor(known.rule(rule), made, 0, name, _one(steps) if steps else None)
        steps_rules.require_steps(rule, known, out)
        int8 = TensorType.INT8 in (given[0].type, made)
        code = tflite_tables.operator_code(known, known.versions[int8])
        if code not in self._codes:
            self._codes.append(code)
        result = self._tensor(out.shape, out.type, name, out.quantization, 0)
        self._operators.append(Operator(self._codes.index(code), tuple(inputs), (result,), options))
        return result

    def steps(self, value: int) -> Steps | None:
        """What the 8 bits of a value stand for; None of floats and pixels."""
        tensor = self.tensors[value]
        if tensor.type != TensorType.INT8 or tensor.quantization is None:
            return None
        return Steps(tensor.quantization.scales[0], tensor.quantization.zero_points[0])

    def write(self, outputs: Sequence[int]) -> bytes:
        """The file of the whole graph."""
        whole = Subgraph(tuple(self.tensors), (0,), tuple(outputs), tuple(self._operators), "main")
        model = Model(VERSION, tuple(self._codes), (whole,), DESCRIPTION, tuple(self._buffers))
        return flatbuffer.write(model)

    def _tensor(
        self, shape: Sequence[int], kind: int, name: str, quantization: Quantization | None, buffer: int
    ) -> int:
        free, number = name, 1
        while free in self._names:
            free, number = f"{name}_{number}", number + 1
        self._names.add(free)
        self.tensors.append(Tensor(tuple(int(side) for side in shape), int(kind), buffer, free, quantization))
        return len(self.tensors) - 1


def _one(steps: Steps, more: int = 0) -> Quantization:
    return Quantization((float(np.float32(steps.scale)),), (steps.zero + more,))
