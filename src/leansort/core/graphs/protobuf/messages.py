"""The messages of an ONNX file and their fields: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.

Of them the parts that a network for images needs. What can run for ever, reach out of the file, or hide something
from this reader is refused by name.
"""

from __future__ import annotations

from leansort.core.graphs.protobuf.wire import FIXED32, FIXED64, VARINT, Message, tag

FLOAT, UINT8, INT8, INT32, INT64, BOOL = 1, 2, 3, 6, 7, 9
BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 16: 16, 17: 8, 18: 8, 19: 8,
    20: 8, 21: 4, 22: 4,
}  # fmt: skip
DTYPES = {
    1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8", 12: "<u4",
    13: "<u8",
}  # fmt: skip

MODEL = Message(
    "model",
    {
        tag(1, VARINT): "ir",
        tag(2): "producer",
        tag(3): "version",
        tag(4): "domain",
        tag(5, VARINT): "number",
        tag(6): "doc",
        tag(7): "graph",
    },
    {tag(8): "opsets", tag(14): "notes"},
    {20: "instructions for training", 25: "functions of its own", 26: "settings for several devices"},
)
OPSET = Message("opset", {tag(1): "domain", tag(2, VARINT): "version"})
GRAPH = Message(
    "graph",
    {tag(2): "name", tag(10): "doc"},
    {tag(1): "nodes", tag(5): "constants", tag(11): "inputs", tag(12): "outputs", tag(13): "values", tag(16): "notes"},
    {14: "notes on quantization", 15: "sparse weights"},
)
NODE = Message(
    "node",
    {tag(3): "name", tag(4): "kind", tag(6): "doc", tag(7): "domain"},
    {tag(1): "inputs", tag(2): "outputs", tag(5): "attributes", tag(9): "notes"},
    {8: "functions of its own", 10: "settings for several devices"},
)
ATTRIBUTE = Message(
    "attribute",
    {tag(1): "name", tag(20, VARINT): "type", tag(2, FIXED32): "f", tag(3, VARINT): "i", tag(4): "s", tag(5): "t",
     tag(13): "doc"},
    {tag(7, FIXED32): "floats", tag(7): "floats packed", tag(8, VARINT): "ints", tag(8): "ints packed",
     tag(9): "strings"},
    {6: "a graph inside a node, as loops and branches have", 11: "graphs inside a node, as loops and branches have",
     10: "lists of tensors in a node", 14: "types in a node", 15: "types in a node", 21: "functions of its own",
     22: "sparse weights", 23: "sparse weights"},
)  # fmt: skip
TENSOR = Message(
    "tensor",
    {tag(2, VARINT): "type", tag(8): "name", tag(9): "raw", tag(12): "doc", tag(14, VARINT): "place"},
    {tag(1, VARINT): "dims", tag(1): "dims packed", tag(4, FIXED32): "f", tag(4): "f packed", tag(5, VARINT): "i",
     tag(5): "i packed", tag(7, VARINT): "l", tag(7): "l packed", tag(10, FIXED64): "d", tag(10): "d packed",
     tag(11, VARINT): "u", tag(11): "u packed", tag(16): "notes"},
    {3: "weights in segments", 6: "texts for weights", 13: "weights in other files"},
)  # fmt: skip
VALUE = Message("value", {tag(1): "name", tag(2): "type", tag(3): "doc"}, {tag(4): "notes"})
TYPE = Message(
    "type",
    {tag(1): "tensor", tag(6): "denotation"},
    {},
    {4: "sequences", 5: "maps", 7: "opaque values", 8: "sparse tensors", 9: "optional values"},
)
TENSOR_TYPE = Message("tensor type", {tag(1, VARINT): "element", tag(2): "shape"})
SHAPE = Message("shape", {}, {tag(1): "dims"})
DIM = Message("dimension", {tag(1, VARINT): "value", tag(2): "param", tag(3): "denotation"})
TYPED = ("f", "i", "l", "d", "u")
RAW = {"type", "name", "raw", "doc", "place", "dims", "dims packed", "notes"}
KINDS: dict[int, set[str]] = {  # of attributes: where the value is, by the number of the type
    1: {"f"},
    2: {"i"},
    3: {"s"},
    4: {"t"},
    6: {"floats", "floats packed"},
    7: {"ints", "ints packed"},
    8: {"strings"},
}
BESIDE = {"name", "type", "doc"}
