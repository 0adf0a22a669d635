"""Is an OpenVINO graph one that may be run? Asked of its XML alone, for a robot need not have OpenVINO.

The shapes that the file states are not believed: `runtime.openvino_sizes` counts those that OpenVINO finds, before
anything is computed. Here is what must not even come before OpenVINO's reader: document types and entities, weights
outside graph.bin, loops, and layers that no network for images has.
"""

from __future__ import annotations

import math
from collections import Counter
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from leansort.core.graphs.faults import UnsoundGraphError, quote
from leansort.core.graphs.limits import NODES, RANK, SPAN, XML_ELEMENTS

_FEW = {  # layers by how many inputs they read; OpenVINO's reader does not ask, and crashes
    (0, 0): "Const Parameter",
    (1, 1): """
        Abs Acos Acosh Asin Asinh Atan Atanh AvgPool BitwiseNot Ceiling Clamp Convert Cos Cosh DepthToSpace Elu Erf Exp
        Floor Gelu HSigmoid HSwish Identity IsFinite IsInf IsNaN Log LogSoftmax LogicalNot MaxPool Mish Negative ReLU
        Result Round ShapeOf ShuffleChannels Sigmoid Sign Sin Sinh SoftMax SoftPlus SoftSign Softmax SpaceToDepth Sqrt
        Tan Tanh
    """,
    (1, 2): "MVN Squeeze Swish Transpose",
    (2, 2): """
        AdaptiveAvgPool AdaptiveMaxPool Add BitwiseAnd BitwiseOr BitwiseXor ConvertLike Convolution CumSum Divide Equal
        FloorMod GatherElements GatherND Greater GreaterEqual GridSample GroupConvolution LRN Less LessEqual LogicalAnd
        LogicalOr LogicalXor MatMul Maximum Minimum Mod Multiply NormalizeL2 NotEqual PReLU Power ReduceL1 ReduceL2
        ReduceLogicalAnd ReduceLogicalOr ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Reshape Reverse
        ReverseSequence Split SquaredDifference Subtract Tile TopK Unsqueeze
    """,
    (1, 999): "Concat Einsum",
    (2, 3): "Broadcast ConvolutionBackpropData GroupConvolutionBackpropData RMS",
    (2, 4): "Interpolate",
    (3, 3): "Gather GroupNormalization HardSigmoid Range Roll ScatterNDUpdate Select Selu VariadicSplit",
    (3, 4): "Pad StridedSlice",
    (3, 6): "ScaledDotProductAttention",
    (4, 4): "OneHot ScatterElementsUpdate ScatterUpdate",
    (4, 5): "Slice",
    (5, 5): "BatchNormInference FakeQuantize",
    (6, 7): "GRUSequence LSTMSequence RNNSequence",
}
_INPUTS = {name: few for few, names in _FEW.items() for name in names.split()}
LAYERS = frozenset(_INPUTS)
_SPANS = ("strides", "dilations", "kernel", "pads_begin", "pads_end", "output_padding")
_BITS = {
    "boolean": 8, "u1": 1, "u2": 2, "u3": 3, "u4": 4, "u6": 6, "u8": 8, "u16": 16, "u32": 32, "u64": 64, "i4": 4,
    "i8": 8, "i16": 16, "i32": 32, "i64": 64, "nf4": 4, "f4e2m1": 4, "f8e4m3": 8, "f8e5m2": 8, "f8e8m0": 8, "f16": 16,
    "bf16": 16, "f32": 32, "f64": 64,
}  # fmt: skip
_TAGS = {"net", "layers", "layer", "data", "input", "output", "port", "dim", "edges", "edge", "rt_info", "attribute"}
_FORBIDDEN = (b"<!", b"<?", b"\0")  # document types, entities, comments, other encodings


def check(graph: bytes, weights: int, size: int) -> None:
    """Refuse a graph that is not one for images of a size, or that has what no bundle may have.

    Args:
        graph: `graph.xml`.
        weights: bytes of `graph.bin`.
        size: side of the images in pixels.

    Raises:
        UnsoundGraphError: why it must not be read.
    """
    net = _parsed(graph)
    layers, edges = net.findall("layers/layer"), net.findall("edges/edge")
    if len(layers) > NODES:
        raise UnsoundGraphError(f"has {len(layers)} nodes, at most {NODES} are read")
    kinds: dict[str, str] = {}
    for layer in layers:
        name = layer.get("id", "")
        if name in kinds or not name.isdecimal():
            raise UnsoundGraphError(f"has two layers {quote(name)}, or one without a number")
        kinds[name] = _kind(layer)
        if kinds[name] == "Const":
            _require_inside(layer, weights)
        else:
            _require_spans(layer)
    _require_ends(layers, size)
    _require_edges(edges, kinds)


def _parsed(graph: bytes) -> Element:
    if not graph.startswith(b"<net"):
        raise UnsoundGraphError("is no network of OpenVINO's")
    if any(item in graph for item in _FORBIDDEN):
        raise UnsoundGraphError("cannot be read: it has a document type, a comment or an entity")
    if graph.count(b"<") > XML_ELEMENTS:
        raise UnsoundGraphError(f"has more than {XML_ELEMENTS} elements")
    try:
        net = ElementTree.fromstring(graph)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnsoundGraphError(f"is no XML ({error})") from None
    if len(net.findall("layers")) != 1 or len(net.findall("edges")) != 1:
        raise UnsoundGraphError("is no network of OpenVINO's")
    unknown = sorted({element.tag for element in net.iter()} - _TAGS)
    if unknown:
        raise UnsoundGraphError(f"has an element {quote(unknown[0])}, as loops and branches have")
    return net


def _kind(layer: Element) -> str:
    kind, version = layer.get("type", ""), layer.get("version", "")
    if kind not in LAYERS or not version.removeprefix("opset").isdecimal():
        raise UnsoundGraphError(
            f"has a {quote(kind)} layer of {quote(version)}, which is not among those that a bundle may have"
        )
    return kind


def _require_spans(layer: Element) -> None:
    """Strides and the like are whole numbers that every library can count."""
    data = layer.find("data")
    for name in _SPANS if data is not None and data.get("strides") is not None else ():
        spans = [span.strip() for span in data.get(name, "").split(",") if span.strip()] if data is not None else []
        if not all(span.isdecimal() and int(span) <= SPAN for span in spans):
            raise UnsoundGraphError(f"has a {quote(layer.get('type', ''))} layer with {name} {quote(str(spans))}")


def _require_inside(layer: Element, weights: int) -> None:
    """A constant's numbers are in graph.bin, as many as its shape asks for."""
    data = layer.find("data")
    given = {} if data is None else data.attrib
    sides = [side.strip() for side in given.get("shape", "").split(",") if side.strip()]
    numbers = [given.get("offset", ""), given.get("size", ""), *sides]
    if given.get("element_type") not in _BITS or not all(text.isdecimal() for text in numbers):
        raise UnsoundGraphError(f"has a constant {quote(layer.get('name', ''))} that is not in graph.bin")
    offset, held, *shape = (int(text) for text in numbers)
    bits = math.prod(shape) * _BITS[given["element_type"]]
    if offset + held > weights or 8 * held != bits + -bits % 8 or len(shape) > RANK:
        raise UnsoundGraphError(
            f"has a constant {quote(layer.get('name', ''))} of shape {shape[: RANK + 1]} with {held} bytes at "
            f"{offset}, graph.bin has {weights}"
        )


def _require_ends(layers: list[Element], size: int) -> None:
    given = [layer for layer in layers if layer.get("type") == "Parameter"]
    text = [dict(data.attrib) for layer in given for data in layer.findall("data")]
    shape = [side.strip() for item in text for side in item.get("shape", "").split(",")]
    fits = len(given) == len(text) == 1 and text[0].get("element_type") == "u8" and shape[1:] == [str(size)] * 2 + ["3"]
    if not fits:
        listed = "; ".join(f"{item.get('element_type')} [{item.get('shape')}]"[:60] for item in text[:3]) or "nothing"
        raise UnsoundGraphError(f"reads {listed}, need one uint8 (b, {size}, {size}, 3)")
    results = sum(layer.get("type") == "Result" for layer in layers)
    if results != 1:
        raise UnsoundGraphError(f"gives {results} outputs, need one float (b, classes)")


def _require_edges(edges: list[Element], kinds: dict[str, str]) -> None:
    """Edges lead from layers that are there to others, each input has one, and none leads round in a circle."""
    into: dict[str, list[str]] = {name: [] for name in kinds}
    ends: set[tuple[str, str]] = set()
    for edge in edges:
        start, end = edge.get("from-layer", ""), edge.get("to-layer", "")
        if start not in kinds or end not in kinds or (end, edge.get("to-port", "")) in ends:
            raise UnsoundGraphError(f"has an edge from layer {quote(start)} to {quote(end)}, which does not fit")
        ends.add((end, edge.get("to-port", "")))
        into[start].append(end)
    waiting = Counter(end for end, _ in ends)
    for name, kind in kinds.items():
        least, most = _INPUTS[kind]
        if not least <= waiting[name] <= most:
            raise UnsoundGraphError(f"has a {quote(kind)} layer with {waiting[name]} inputs")
    ready = [name for name in kinds if not waiting[name]]
    for name in ready:  # which grows as it goes
        for after in into[name]:
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    if len(ready) < len(kinds):
        raise UnsoundGraphError("leads round in a circle")
