"""Is a graph in LiteRT's format one that may be run? One image in, logits out, known layers, and shapes that hold.

LiteRT works out shapes anew, but ends the whole process at some scales, and takes what lies in a buffer for as much as
a shape says. So every tensor's shape, type, bytes and scales are accounted for here before it gets to see them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from leansort.core.graphs.faults import UnsoundGraphError, quote
from leansort.core.graphs.limits import NODES, NUMBERS, RANK, TEXT_BYTES, WORK
from leansort.core.graphs.litert import flatbuffer
from leansort.core.graphs.litert.layer import Layer, elements
from leansort.core.graphs.litert.operators import KINDS, NAMES, OperatorKind
from leansort.core.graphs.litert.schema import (
    BYTES,
    VERSION,
    Model,
    Operator,
    OperatorCode,
    Quantization,
    Subgraph,
    Tensor,
    TensorType,
)

SCALES = (1e-15, 1e15)  # of a step
APART = 2.0**16  # how many times larger one step may be than another that it is put together with
PRODUCTS = (
    2.0**-31,
    2.0**8,
)  # steps of products over those that are made of them: XNNPACK frees its memory twice at others
UNIT = Quantization((1 / 256,), (-128,))  # LOGISTIC computes no others
_ZEROS = {TensorType.INT8: (-128, 127), TensorType.UINT8: (0, 255), TensorType.INT32: (0, 0)}


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
    whole = _require_tables(model)
    _require_ends(whole, size, classes)
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
        require_steps(layer, kind, made)
        _count(cost, layer, made, at, [(number, tensors[number]) for number in item.inputs])
        cost.made.add(item.outputs[0])
    if not set(whole.outputs) <= cost.made:
        raise UnsoundGraphError("gives what it does not make")
    return cost.held


def layer_of(model: Model, whole: Subgraph, item: Operator) -> tuple[OperatorKind, Layer]:
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


def require_steps(layer: Layer, kind: OperatorKind, made: Tensor) -> None:
    """Refuse steps of 8 bits that LiteRT would end the process at, or take for others.

    Raises:
        UnsoundGraphError: they are such.
    """
    if made.type != TensorType.INT8:
        return
    out = _one_step(layer, made)
    read = [tensor for tensor in layer.inputs if tensor.type in (TensorType.INT8, TensorType.UINT8)]
    if kind.weighted:
        _require_products(layer, _one_step(layer, read[0]), read[1].quantization, out)
        return
    steps = [_one_step(layer, tensor) for tensor in read]
    if kind.steps == "same" and any(step != out for step in steps):
        raise layer.fault("makes steps that are not those that it reads")
    if kind.steps == "unit" and out != UNIT:
        raise layer.fault("makes steps that are not of 1/256")
    if layer.kind == "MUL":
        _require_products(layer, steps[0], steps[1], out)
        return
    sizes = [step.scales[0] for step in (*steps, out)]
    if kind.steps != "unit" and max(sizes) >= min(sizes) * APART:
        raise layer.fault(f"puts steps of {min(sizes):g} and {max(sizes):g} together")


def _require_products(layer: Layer, one: Quantization, other: Quantization | None, out: Quantization) -> None:
    """Products of two steps over a third, for which there is room in 31 bits and a shift."""
    for scale in other.scales if other else ():
        times = one.scales[0] * scale / out.scales[0]
        if not PRODUCTS[0] <= times < PRODUCTS[1]:
            raise layer.fault(f"makes steps of {out.scales[0]:g} of products of {one.scales[0] * scale:g}")


def _one_step(layer: Layer, tensor: Tensor) -> Quantization:
    if tensor.quantization is None or len(tensor.quantization.scales) != 1 or tensor.quantization.axis:
        raise layer.fault("reads or makes 8 bits without one scale")
    return tensor.quantization


def _layer(model: Model, whole: Subgraph, item: Operator, cost: _Cost) -> tuple[OperatorKind, Layer]:
    """A layer that reads what was made before it, and makes what was not."""
    kind, layer = layer_of(model, whole, item)
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


def _require_tables(model: Model) -> Subgraph:
    """Tables that fit each other; whether the layers do is asked later."""
    if model.version != VERSION or len(model.subgraphs) != 1 or not model.buffers or model.buffers[0].data:
        raise UnsoundGraphError("is not one graph of LiteRT's version 3")
    (whole,) = model.subgraphs
    if max(len(whole.operators), len(model.codes)) > NODES or len(whole.tensors) > 4 * NODES:
        raise UnsoundGraphError(f"has {len(whole.operators)} layers, at most {NODES} are read")
    for code in model.codes:
        known = KINDS.get(NAMES.get(code.code, ""))
        if known is None or code not in (operator_code(known, version) for version in known.versions):
            raise UnsoundGraphError(f"has a kind of layer {code.code} that is not among those that a bundle may have")
    for tensor in whole.tensors:
        _require_tensor(model, tensor)
    return whole


def operator_code(kind: OperatorKind, version: int) -> OperatorCode:
    """How a file names a kind: older readers know numbers of 7 bits only."""
    return OperatorCode(min(kind.code, 127), version, kind.code)


def _require_tensor(model: Model, tensor: Tensor) -> None:
    where = f"has a value {quote(tensor.name)} that"
    if tensor.type not in BYTES or not 1 <= len(tensor.shape) <= RANK or min(tensor.shape) < 1:
        raise UnsoundGraphError(f"{where} is of type {tensor.type} and shape {list(tensor.shape[: RANK + 1])}")
    if not tensor.name or len(tensor.name) > TEXT_BYTES or tensor.buffer >= len(model.buffers):
        raise UnsoundGraphError(f"{where} has no name, or no bytes")
    if (
        tensor.buffer
        and len(model.buffers[tensor.buffer].data) != elements(tensor.shape) * BYTES[TensorType(tensor.type)]
    ):
        raise UnsoundGraphError(f"{where} does not have as many bytes as its shape {list(tensor.shape)} asks for")
    steps = tensor.quantization
    if steps is None:
        return
    least, most = _ZEROS.get(TensorType(tensor.type), (1, 0))
    if (
        not 0 <= steps.axis < len(tensor.shape)
        or len(steps.scales) != len(steps.zero_points)
        or len(steps.scales) not in (1, tensor.shape[steps.axis])
        or not all(math.isfinite(scale) and SCALES[0] <= scale <= SCALES[1] for scale in steps.scales)
        or not all(least <= zero <= most for zero in steps.zero_points)
    ):
        raise UnsoundGraphError(f"{where} has scales or zero points that no bundle may have")


def _require_ends(whole: Subgraph, size: int, classes: int) -> None:
    ends = (*whole.inputs, *whole.outputs)
    if not all(0 <= number < len(whole.tensors) and not whole.tensors[number].buffer for number in ends):
        raise UnsoundGraphError("reads or gives a value that there is not")
    given = [(whole.tensors[number].type, whole.tensors[number].shape) for number in whole.inputs]
    if given != [(TensorType.UINT8, (1, size, size, 3))]:
        raise UnsoundGraphError(f"reads {given[:2]}, need one uint8 (1, {size}, {size}, 3)")
    made = [(whole.tensors[number].type, whole.tensors[number].shape) for number in whole.outputs]
    logits, distance = (TensorType.FLOAT32, (1, classes)), (TensorType.FLOAT32, (1, 1))
    if made not in ([logits], [logits, distance]):
        if made and made[0][0] == TensorType.FLOAT32 and len(made[0][1]) == 2 and made[0][1][1] != classes:
            raise UnsoundGraphError(f"has {made[0][1][1]} outputs, its labels are {classes}")
        raise UnsoundGraphError(
            f"gives {made[:3]}, need float logits (1, {classes}), and a distance where there is one"
        )
