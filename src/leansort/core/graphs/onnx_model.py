"""An ONNX file, read: its nodes, its constants, what goes in and what comes out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leansort.core.graphs.faults import UnsoundGraphError, quote
from leansort.core.graphs.limits import KNOWN, NODES, OPSETS, RANK
from leansort.core.graphs.protobuf import messages, wire
from leansort.core.graphs.protobuf.messages import BITS, BOOL, DTYPES, FLOAT, INT8, INT32, INT64, UINT8
from leansort.core.graphs.protobuf.wire import Fields, Span

Shape = tuple[int, ...]
OWN_DOMAINS = ("", "ai.onnx")


@dataclass(slots=True, eq=False, repr=False)
class Tensor:
    """A constant; its numbers stay where they are in the file.

    Attributes:
        name: in the graph; empty for one inside a node.
        type: of an element, ONNX's number of it.
        shape: whole and not negative.
        elements: how many.
        data: the file.
        fields: where in it the numbers are.
    """

    name: str
    type: int
    shape: Shape
    elements: int
    data: bytes
    fields: Fields

    def array(self) -> npt.NDArray[Any] | None:
        """The numbers of a small tensor; None of a large one, or of a type that decides no shapes."""
        if self.elements > KNOWN or self.type not in DTYPES:
            return None
        if "raw" in self.fields:
            start, end = self.fields["raw"]
            return np.frombuffer(self.data[start:end], DTYPES[self.type]).reshape(self.shape)
        values: list[Any] = wire.floats(self.data, self.fields, "f") or wire.integers(self.data, self.fields, "i")
        values = values or wire.integers(self.data, self.fields, "l")
        if self.type not in (FLOAT, UINT8, INT8, INT32, INT64, BOOL) or len(values) != self.elements:
            return None
        whole = np.array(values, np.float64 if self.type == FLOAT else np.int64)
        return whole.astype(DTYPES[self.type]).reshape(self.shape)


@dataclass(slots=True, eq=False, repr=False)
class Node:
    """One operator.

    Attributes:
        kind: of operator.
        domain: that it belongs to; empty for ONNX's own.
        inputs: values that it reads; empty names are inputs left out.
        outputs: values that it makes; empty names are outputs left out.
        data: the file.
        fields: where in it the rest is.
        attributes: where in it each is, by name.
    """

    kind: str
    domain: str
    inputs: list[str]
    outputs: list[str]
    data: bytes
    fields: Fields
    attributes: dict[str, Fields]

    def __str__(self) -> str:
        start, end = self.fields.get("name", (0, 0))
        return f"{quote(self.kind)} node {quote(self.data[start:end].decode(errors='replace'))}"

    def number(self, name: str, otherwise: float) -> float:
        """A float among the attributes."""
        span = self._of(name, 1).get("f")
        return wire.floats(self.data, {"f": [span]}, "f")[0] if span else otherwise

    def integer(self, name: str, otherwise: int = 0) -> int:
        """A whole number among the attributes."""
        return wire.signed(self._of(name, 2).get("i", 0)) if name in self.attributes else otherwise

    def text(self, name: str, otherwise: str = "") -> str:
        """A text among the attributes."""
        return wire.text(self.data, self._of(name, 3).get("s", (0, 0))) if name in self.attributes else otherwise

    def tensor(self, name: str) -> Tensor:
        """A constant among the attributes."""
        return _tensor(self.data, self._of(name, 4)["t"])

    def integers(self, name: str) -> list[int] | None:
        """A list of whole numbers among the attributes; None where it is not given."""
        return wire.integers(self.data, self._of(name, 7), "ints") if name in self.attributes else None

    def numbers(self, name: str) -> list[float]:
        """A list of floats among the attributes."""
        return wire.floats(self.data, self._of(name, 6), "floats")

    def _of(self, name: str, kind: int) -> Fields:
        result = self.attributes.get(name, {"type": kind})
        if result.get("type") != kind:
            raise UnsoundGraphError(f"has a {self} whose {quote(name)} is of another type")
        return result


@dataclass(slots=True, eq=False, repr=False)
class Value:
    """What goes in or comes out: name, type of its elements, and sides: -1 where one is not told, None where none."""

    name: str
    type: int
    shape: Shape | None


@dataclass(slots=True, eq=False, repr=False)
class Model:
    """A whole file.

    Attributes:
        opset: version of ONNX's operators.
        nodes: in the order of the file.
        constants: by name.
        inputs: values that are given.
        outputs: values that are asked for.
    """

    opset: int
    nodes: list[Node]
    constants: dict[str, Tensor]
    inputs: list[Value]
    outputs: list[Value]


def read(data: bytes) -> Model:
    """Read a serialized ONNX model.

    Raises:
        UnsoundGraphError: it is none, or has what no bundle may have.
    """
    model = messages.MODEL.read(data, (0, len(data)))
    if "graph" not in model:
        raise UnsoundGraphError("is empty")
    graph = messages.GRAPH.read(data, model["graph"])
    for what in ("nodes", "constants"):
        if len(graph.get(what, ())) > NODES:
            raise UnsoundGraphError(f"has {len(graph[what])} {what}, at most {NODES} are read")
    constants = [_tensor(data, span) for span in graph.get("constants", ())]
    named = {constant.name: constant for constant in constants}
    if len(named) < len(constants) or "" in named:
        raise UnsoundGraphError("has two constants of one name, or one without")
    nodes = [_node(data, span) for span in graph.get("nodes", ())]
    ends = ([_value(data, span) for span in graph.get(what, ())] for what in ("inputs", "outputs"))
    return Model(_opset(data, model), nodes, named, *ends)


def _opset(data: bytes, model: Fields) -> int:
    versions = []
    for span in model.get("opsets", ()):
        opset = messages.OPSET.read(data, span)
        if wire.text(data, opset.get("domain", (0, 0))) in OWN_DOMAINS:
            versions.append(wire.signed(opset.get("version", 0)))
    if len(versions) != 1 or not OPSETS[0] <= versions[0] <= OPSETS[1]:
        raise UnsoundGraphError(f"uses the operators of version {versions}, need one of {OPSETS[0]} or newer")
    return versions[0]


def _node(data: bytes, span: Span) -> Node:
    node = messages.NODE.read(data, span)
    attributes: dict[str, Fields] = {}
    for item in node.get("attributes", ()):
        fields = messages.ATTRIBUTE.read(data, item)
        name, kind = wire.text(data, fields.get("name", (0, 0))), fields.get("type", 0)
        if (
            kind not in messages.KINDS
            or not fields.keys() <= messages.BESIDE | messages.KINDS[kind]
            or (kind == 4 and "t" not in fields)
        ):
            raise UnsoundGraphError(f"has an attribute {quote(name)} that is not of the type that it says")
        if name in attributes:
            raise UnsoundGraphError(f"has a node with two attributes {quote(name)}")
        attributes[name] = fields
        if kind == 4:
            _tensor(data, fields["t"])
    return Node(
        wire.text(data, node.get("kind", (0, 0))),
        wire.text(data, node["domain"]) if "domain" in node else "",
        [wire.text(data, entry) for entry in node.get("inputs", ())],
        [wire.text(data, entry) for entry in node.get("outputs", ())],
        data,
        node,
        attributes,
    )


def _tensor(data: bytes, span: Span) -> Tensor:
    fields = messages.TENSOR.read(data, span)
    name, kind = wire.text(data, fields.get("name", (0, 0))), fields.get("type", 0)
    if fields.get("place"):
        raise UnsoundGraphError(f"has weights in other files ({quote(name)}), which no bundle may have")
    shape = tuple(wire.integers(data, fields, "dims"))
    if kind not in BITS or len(shape) > RANK or any(side < 0 for side in shape):
        raise UnsoundGraphError(f"has a constant {quote(name)} of type {kind} and shape {shape[: RANK + 1]}")
    elements = math.prod(shape)
    if not _fits(fields, elements, BITS[kind]):
        raise UnsoundGraphError(f"has a constant {quote(name)} of shape {shape} and not as many numbers")
    return Tensor(name, kind, shape, elements, data, fields)


def _fits(fields: Fields, elements: int, bits: int) -> bool:
    """Whether a constant has the numbers that its shape asks for.

    Written one by one each takes a byte at least, or half of one; how many there are the engines see.
    """
    if "raw" in fields:
        start, end = fields["raw"]
        return fields.keys() <= messages.RAW and 8 * (end - start) == elements * bits + -elements * bits % 8
    typed = {key: fields[name] for key in messages.TYPED for name in (key, f"{key} packed") if name in fields}
    room = sum(span[1] - span[0] if isinstance(span, tuple) else 1 for spans in typed.values() for span in spans)
    return len(typed) <= 1 and elements <= 2 * room


def _value(data: bytes, span: Span) -> Value:
    fields = messages.VALUE.read(data, span)
    kind = messages.TYPE.read(data, fields["type"]) if "type" in fields else {}
    tensor = messages.TENSOR_TYPE.read(data, kind["tensor"]) if "tensor" in kind else {}
    name, element = wire.text(data, fields.get("name", (0, 0))), tensor.get("element", 0)
    if "shape" not in tensor:
        return Value(name, element, None)
    dims = [messages.DIM.read(data, item) for item in messages.SHAPE.read(data, tensor["shape"]).get("dims", ())]
    return Value(name, element, tuple(wire.signed(dim["value"]) if "value" in dim else -1 for dim in dims))
