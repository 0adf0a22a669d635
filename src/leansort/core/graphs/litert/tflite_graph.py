"""Is a graph in LiteRT's format one that may be run? One image in, logits out, known layers, and shapes that hold.

LiteRT works out shapes anew, but ends the whole process at some scales, and takes what lies in a buffer for as much as
a shape says. So every tensor's shape, type, bytes and scales are accounted for here before it gets to see them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from leansort.core.graphs.faults import UnsoundGraphError, quote
from leansort.core.graphs.limits import NUMBERS, WORK
from leansort.core.graphs.litert import flatbuffer, steps, tflite_tables
from leansort.core.graphs.litert.layer import Layer, elements
from leansort.core.graphs.litert.tflite_operators import KINDS, NAMES, OperatorKind
from leansort.core.graphs.litert.tflite_schema import Model, Operator, Subgraph, Tensor


@dataclass
class _Cost:
    """What is needed for one image: numbers of 32 bits held now and at once, and multiply-adds; who reads what last."""

    last: dict[int, int]
    live: int = 0
    held: int = 0
    work: int = 0
    made: set[int] = field(default_factory=set)


def check(graph: bytes, size: int, classes: int) -> int:
    """Refuse a graph that is not one for images of a size and so many classes, or that asks for too much.

    Args:
        graph: `graph.tflite`.
        size: side of the images in pixels.
        classes: how many logits come out.

    Returns:
        Numbers of 32 bits that it holds at once.

    Raises:
        UnsoundGraphError: why it must not be run.
    """
    model = flatbuffer.read(graph)
    whole = tflite_tables.require_tables(model)
    tflite_tables.require_ends(whole, size, classes)
    tensors = whole.tensors
    cost = _Cost({number: at for at, item in enumerate(whole.operators) for number in item.inputs})
    cost.last |= dict.fromkeys(whole.outputs, len(whole.operators))
    cost.made.add(whole.inputs[0])
    cost.live = elements(tensors[whole.inputs[0]].shape)
    for at, item in enumerate(whole.operators):
        kind, layer = _layer(model, whole, item, cost)
        made = tensors[item.outputs[0]]
        shape = kind.rule(layer)
        if made.shape != shape or made.type != (layer.inputs[0].type if kind.made is None else kind.made):
            raise layer.fault(f"makes {list(shape)}, and is said to make {list(made.shape)} of type {made.type}")
        steps.require_steps(layer, kind, made)
        _count(cost, layer, made, at, [(number, tensors[number]) for number in item.inputs])
        cost.made.add(item.outputs[0])
    if not set(whole.outputs) <= cost.made:
        raise UnsoundGraphError("gives what it does not make")
    return cost.held


def _layer_of(model: Model, whole: Subgraph, item: Operator) -> tuple[OperatorKind, Layer]:
    """A layer by its tables.

    Raises:
        UnsoundGraphError: it is of no known kind, or its tables are those of another.
    """
    if not (0 <= item.kind < len(model.codes) and len(item.outputs) == 1):
        raise UnsoundGraphError("has a layer of no kind, or of more than one value")
    if not all(0 <= number < len(whole.tensors) for number in (*item.inputs, *item.outputs)):
        raise UnsoundGraphError("has a layer that reads or makes a value that there is not")
    inputs = [whole.tensors[number] for number in item.inputs]
    name = NAMES.get(model.codes[item.kind].code, "")
    data = [model.buffers[tensor.buffer].data for tensor in inputs]
    layer = Layer(name, whole.tensors[item.outputs[0]].name, item.options, inputs, data)
    kind = KINDS.get(name)
    if (
        kind is None
        or not kind.least <= len(inputs) <= kind.most
        or type(item.options) is not (kind.options or type(None))
    ):
        raise layer.fault(f"reads {len(inputs)} values, or has options of another kind")
    return kind, layer


def _layer(model: Model, whole: Subgraph, item: Operator, cost: _Cost) -> tuple[OperatorKind, Layer]:
    """A layer that reads what was made before it, and makes what was not."""
    kind, layer = _layer_of(model, whole, item)
    for number, tensor in zip(item.inputs, layer.inputs, strict=True):
        if tensor.buffer == 0 and number not in cost.made:
            raise layer.fault(f"reads {quote(tensor.name)}, which is not made before it")
    if item.outputs[0] in cost.made or whole.tensors[item.outputs[0]].buffer:
        raise layer.fault("makes what is made already")
    return kind, layer


def _count(cost: _Cost, layer: Layer, made: Tensor, at: int, given: list[tuple[int, Tensor]]) -> None:
    cost.live += elements(made.shape)
    cost.held = max(cost.held, cost.live)
    read = {number: elements(tensor.shape) for number, tensor in given if tensor.buffer == 0}
    cost.live -= sum(count for number, count in read.items() if cost.last[number] == at)
    cost.work += max(elements(made.shape) * layer.products, sum(read.values()))
    for what, count, most in (("numbers held at once", cost.held, NUMBERS), ("multiply-adds", cost.work, WORK)):
        if count > most:
            raise layer.fault(f"needs {count:,} {what}, at most {most:,} are allowed")
