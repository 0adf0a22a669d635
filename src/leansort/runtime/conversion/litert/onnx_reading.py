"""An ONNX graph as the lowering wants it: constants of 8 bits as what they stand for, activations at their layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
PIXELS = "QuantizePixels"  # pixels as they are, in 8 bits with a sign: a kind of our own
_UNITS = ("Transpose", "Cast", "Sub", "Mul")  # what stands between the image and its own bytes, the first first
_LAYERS = ("Conv", "Gemm", "MatMul", "Add")  # whose LiteRT kinds end with an activation
_CLIPS = {(0.0, 6.0): "Relu6", (0.0, np.inf): "Relu", (-1.0, 1.0): "ReluN1To1", (0.0, 1.0): "Relu0To1"}


@dataclass(frozen=True)
class Steps:
    """What 8 bits with a sign stand for: (number - zero) * scale."""

    scale: float
    zero: int


@dataclass
class Node:
    """An operator.

    Attributes:
        kind: ONNX's word for it.
        name: of it.
        inputs: names of what it reads; empty for one left out.
        output: name of what it makes.
        attributes: by name.
        activation: `Relu` or `Relu6` behind it, that nothing else reads past.
    """

    kind: str
    name: str
    inputs: list[str]
    output: str
    attributes: dict[str, Any]
    activation: str = ""


@dataclass
class OnnxGraph:
    """A graph.

    Attributes:
        nodes: in an order of computation.
        constants: by name, 8 bits as what they stand for.
        steps: of constants of 8 bits that have one scale, and of what a QuantizeLinear reads.
        weight_scales: of constants of 8 bits with a sign and without a zero point, one or one an output channel.
        image: name of the input.
        outputs: names of what comes out.
    """

    nodes: list[Node]
    constants: dict[str, Array]
    steps: dict[str, Steps]
    weight_scales: dict[str, Array]
    image: str
    outputs: list[str]


def read(graph: bytes) -> OnnxGraph:
    """Read a sound serialized graph."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(graph).graph
    attributes = [{item.name: helper.get_attribute_value(item) for item in node.attribute} for node in model.node]
    nodes = [
        Node(node.op_type, node.name, list(node.input), node.output[0], given)
        for node, given in zip(model.node, attributes, strict=True)
    ]
    constants = {item.name: numpy_helper.to_array(item) for item in model.initializer}
    made = OnnxGraph(nodes, constants, {}, {}, model.input[0].name, [item.name for item in model.output])
    _fold_constants(made)
    _name_clips(made)
    _join_pixels(made)
    _join_activations(made)
    return made


def steps_of(graph: OnnxGraph, node: Node) -> Steps:
    """What the 8 bits of a QuantizeLinear or DequantizeLinear stand for, with a sign."""
    scale = float(graph.constants[node.inputs[1]].reshape(-1)[0])
    zero = graph.constants[node.inputs[2]] if len(node.inputs) > 2 else np.zeros(1, np.uint8)
    return Steps(scale, int(zero.reshape(-1)[0]) - (128 if zero.dtype == np.uint8 else 0))


def _fold_constants(graph: OnnxGraph) -> None:
    """Constants of 8 and 32 bits as the numbers that they stand for."""
    kept = []
    for node in graph.nodes:
        if node.kind == "Identity" and node.inputs[0] in graph.constants:
            graph.constants[node.output] = graph.constants[node.inputs[0]]
        elif node.kind == "DequantizeLinear" and node.inputs[0] in graph.constants:
            _fold(graph, node)
        else:
            kept.append(node)
            if node.kind == "QuantizeLinear":
                graph.steps[node.inputs[0]] = steps_of(graph, node)
    graph.nodes[:] = kept


def _fold(graph: OnnxGraph, node: Node) -> None:
    whole, scale = graph.constants[node.inputs[0]], graph.constants[node.inputs[1]]
    zero = graph.constants[node.inputs[2]] if len(node.inputs) > 2 else np.zeros(1, np.int64)
    if scale.size == 1 and whole.dtype in (np.uint8, np.int8):
        graph.steps[node.output] = steps_of(graph, node)
    if whole.dtype == np.int8 and not zero.any():
        graph.weight_scales[node.output] = scale.reshape(-1)
    sides = [1] * whole.ndim
    if scale.size > 1:
        sides[node.attributes.get("axis", 1)] = -1
    by = scale.reshape(sides if scale.size > 1 else ()).astype(np.float64)
    below = zero.reshape(sides if zero.size > 1 else ()).astype(np.float64)
    graph.constants[node.output] = (whole.astype(np.float64) - below) * by


def _name_clips(graph: OnnxGraph) -> None:
    """Clips by the words for their limits, where LiteRT has a kind for them."""
    for node in graph.nodes:
        if node.kind == "Clip":
            limits = [graph.constants.get(name) for name in (*node.inputs[1:], "", "")[:2]]
            open_ends = zip(limits, (-np.inf, np.inf), strict=True)
            low, high = (other if value is None else float(value) for value, other in open_ends)
            node.attributes |= {"low": low, "high": high}
            node.kind = _CLIPS.get((low, high), "Clip")
            del node.inputs[1:]


def _readers(graph: OnnxGraph) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {name: [] for name in graph.outputs}
    for node in graph.nodes:
        for name in node.inputs:
            found.setdefault(name, []).append(node)
    return found


def _join_pixels(graph: OnnxGraph) -> None:
    """One node for those that make the pixels' own bytes of them."""
    made, readers = {node.output: node for node in graph.nodes}, _readers(graph)
    for node in graph.nodes:
        chain, value = list[Node](), node.inputs[0] if node.kind == "QuantizeLinear" else ""
        while value in made and len(chain) < len(_UNITS):
            chain.insert(0, made[value])
            value = made[value].inputs[0]
        alone = all(len(readers[item.output]) == 1 and item.output not in graph.outputs for item in chain)
        if tuple(item.kind for item in chain) == _UNITS and value == graph.image and alone:
            sizes = [graph.constants[item.inputs[1]] for item in chain[2:] if item.inputs[1] in graph.constants]
            if [size.size for size in sizes] == [1, 1] and _is_same(steps_of(graph, node), *map(float, sizes)):
                graph.nodes[:] = [item for item in graph.nodes if item not in chain]
                node.kind, node.inputs[0] = PIXELS, graph.image
                return


def _is_same(steps: Steps, grey: float, unit: float) -> bool:
    """Whether quantizing (level - grey) * unit gives each of the 256 levels itself."""
    levels = np.arange(256)
    return np.array_equal(np.rint((levels - grey) * unit / steps.scale) + steps.zero, levels - 128)


def _join_activations(graph: OnnxGraph) -> None:
    """Activations at the layers that they follow, where nothing else reads what the layer makes."""
    made, readers = {node.output: node for node in graph.nodes}, _readers(graph)
    for node in list(graph.nodes):
        before = made.get(node.inputs[0]) if node.kind in ("Relu", "Relu6") else None
        if before is None or before.kind not in _LAYERS or before.activation or before.output in graph.outputs:
            continue
        if len(readers[before.output]) == 1 and before.output not in graph.steps:
            before.output, before.activation = node.output, node.kind
            graph.nodes.remove(node)
            made[node.output] = before
