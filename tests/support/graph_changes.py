"""Single changes of an ONNX graph, at random: what a fuzz is made of, and the graph that has most to be changed."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from leansort.core.graphs.onnx_shapes import RULES
from tests.support.graphs import ending, node

NUMBERS = (
    0, 1, 2, 3, -1, -2, 5, 7, 16, 255, 1000, 65_536, 10**6, 10**9, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63),
)  # fmt: skip
FLOATS = (0.0, 1.0, -1.0, 0.5, 1e-30, 1e30, float("nan"), float("inf"), float("-inf"), 3.4e38)
NAMES = ("", "logits", "image", "x" * 300, "a\nb", "\x1b[2J", "é", "../secret", "val_1", "\u202e")
OPERATORS = sorted({item.name for item in onnx.defs.get_all_schemas_with_history() if item.domain == ""})
DOMAINS = ("", "ai.onnx", "com.microsoft", "ai.onnx.ml", "own")
LARGE = ("Expand", "Tile", "ConstantOfShape", "Pad", "Resize", "Reshape", "OneHot", "Range", "EyeLike", "Upsample")
Random = random.Random


def many_operators() -> onnx.ModelProto:
    """A sound graph with most kinds of operators whose shapes are decided by numbers in the file."""
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(4, 3, 3, 3)), "t": rng.normal(size=(4, 2, 2, 2)), "g": rng.normal(size=(6, 3)),
        "scale": np.ones(2), "bias": np.zeros(2),
    }  # fmt: skip
    shapes = {
        "scales": np.array([1, 1, 0.5, 0.5], np.float32), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "starts": np.array([0]), "ends": np.array([8]), "axes": np.array([2]), "one": np.array([1]),
        "parts": np.array([1, 1]), "minus": np.array([-1]), "zero": np.array([0]), "often": np.array([1, 1, 1, 1]),
        "three": np.array([3]), "two": np.array(2, np.int64), "depth": np.array(3),
        "ends2": np.array([0.0, 1.0], np.float32), "step": np.array(1), "low": np.array(0), "high": np.array(4),
    }  # fmt: skip
    constants = {**{name: value.astype(np.float32) for name, value in weights.items()}, **shapes}
    nodes = [
        node("Transpose", "pixels", "chw", perm=[0, 3, 1, 2]),
        node("Conv", "chw w", "c", pads=[1, 1, 1, 1], strides=[2, 2]), node("Clip", "c", "clipped"),
        node("MaxPool", "clipped", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("ConvTranspose", "p t", "u", strides=[2, 2]), node("Resize", "u  scales", "r", mode="linear"),
        node("Pad", "r pads", "padded"), node("Slice", "padded starts ends axes", "cut"),
        node("Split", "cut parts", "left right", axis=1), node("Concat", "left right", "joined", axis=1),
        node("InstanceNormalization", "joined scale bias", "normed"), node("Tile", "normed often", "tiled"),
        node("Softmax", "tiled", "soft", axis=-1), node("Shape", "soft", "shape"),
        node("Gather", "shape zero", "batch"), node("Concat", "batch minus", "flat", axis=0),
        node("Reshape", "soft flat", "rows"), node("TopK", "rows three", "best where"),
        node("OneHot", "where depth ends2", "hot"), node("Einsum", "hot best", "mixed", equation="bij,bi->bj"),
        node("Range", "low high step", "counted"), node("ReduceSum", "counted", "total", keepdims=0),
        node("Div", "total two", "halved"), node("Cast", "halved", "number", to=1),
        node("Expand", "mixed one", "stretched"),
        node("Unsqueeze", "stretched one", "high3"), node("Squeeze", "high3 one", "flat2"),
        node("GlobalAveragePool", "joined", "pooled"), node("Flatten", "pooled", "pooled2"),
        node("Slice", "colour zero one one", "rest"), node("Concat", "pooled2 flat2 rest", "six", axis=1),
        node("MatMul", "six g", "product"), node("Mul", "product number", "logits"),
    ]  # fmt: skip
    return ending(*nodes, constants=constants)


@cache
def _takes(kind: str, inputs: int) -> bool:
    known = onnx.defs.get_schema(kind)
    return bool(known.min_input <= inputs <= known.max_input)


def similar(model: onnx.ModelProto, rng: Random) -> None:
    """Another operator of those that a bundle may have, as many inputs as there are."""
    item = rng.choice(model.graph.node)
    inputs = len(item.input)
    kinds = [kind for kind in OPERATORS if kind in RULES and _takes(kind, inputs)]
    item.op_type = rng.choice(kinds)


def slightly(model: onnx.ModelProto, rng: Random) -> None:
    """A whole number that decides a shape is a little larger or smaller, in an attribute or a constant."""
    lists = [each for entry in model.graph.node for each in entry.attribute if each.ints]
    small = [
        entry for entry in model.graph.initializer if entry.data_type == TensorProto.INT64 and np.prod(entry.dims) > 0
    ]
    if lists and (not small or rng.random() < 0.5):
        result = rng.choice(lists)
        result.ints[rng.randrange(len(result.ints))] += rng.choice((-2, -1, 1, 2, 7, 30))
    elif small:
        item = rng.choice(small)
        array = numpy_helper.to_array(item).copy()
        array.reshape(-1)[rng.randrange(array.size)] += rng.choice((-2, -1, 1, 2, 7, 30, 1000))
        item.CopyFrom(numpy_helper.from_array(array, item.name))


def numbers(model: onnx.ModelProto, rng: Random) -> None:
    """Weights that are zero, large, or no numbers."""
    floats = [entry for entry in model.graph.initializer if entry.data_type == TensorProto.FLOAT]
    if floats:
        item = rng.choice(floats)
        array = np.full(tuple(item.dims), rng.choice(FLOATS), np.float32)
        item.CopyFrom(numpy_helper.from_array(array, item.name))


def operator(model: onnx.ModelProto, rng: Random) -> None:
    """Another operator."""
    rng.choice(model.graph.node).op_type = rng.choice(OPERATORS)


def attribute(model: onnx.ModelProto, rng: Random) -> None:
    """Another value of an attribute, or one more, or one less."""
    item = rng.choice([entry for entry in model.graph.node if entry.attribute] or model.graph.node)
    if not item.attribute or rng.random() < 0.15:
        item.attribute.append(
            helper.make_attribute(rng.choice(("axis", "pads", "to", "group", "k")), rng.choice(NUMBERS[:12]))
        )
        return
    result = rng.choice(item.attribute)
    if rng.random() < 0.15:
        item.attribute.remove(result)
    elif result.type == onnx.AttributeProto.INTS and result.ints:
        result.ints[rng.randrange(len(result.ints))] = rng.choice(NUMBERS)
        if rng.random() < 0.2:
            result.ints.append(rng.choice(NUMBERS))
    elif result.type == onnx.AttributeProto.FLOAT:
        result.f = rng.choice(FLOATS)
    elif result.type == onnx.AttributeProto.STRING:
        result.s = rng.choice((b"SAME_UPPER", b"VALID", b"reflect", b"cubic", b"bij,bjk->bik", b"x" * 200))
    else:
        result.i = rng.choice(NUMBERS)


def wiring(model: onnx.ModelProto, rng: Random) -> None:
    """An input or output is another value, none, or one more."""
    item = rng.choice(model.graph.node)
    values = [value for entry in model.graph.node for value in entry.output] + [
        entry.name for entry in model.graph.initializer
    ]
    side = item.input if rng.random() < 0.8 else item.output
    if side and rng.random() < 0.7:
        side[rng.randrange(len(side))] = rng.choice([*values, "image", *NAMES])
    elif side and rng.random() < 0.5:
        del side[rng.randrange(len(side))]
    else:
        side.append(rng.choice(values))


def nodes(model: onnx.ModelProto, rng: Random) -> None:
    """A node left out, doubled, or elsewhere."""
    at = rng.randrange(len(model.graph.node))
    from_string = onnx.NodeProto.FromString(model.graph.node[at].SerializeToString())
    kind = rng.randrange(3)
    if kind != 1 and len(model.graph.node) > 1:
        del model.graph.node[at]
    if kind:
        model.graph.node.insert(rng.randrange(len(model.graph.node) + 1), from_string)


def constant(model: onnx.ModelProto, rng: Random) -> None:
    """Other numbers, another shape or type of a constant."""
    small = [entry for entry in model.graph.initializer if np.prod(entry.dims) < 20]
    item = rng.choice(small if small and rng.random() < 0.8 else model.graph.initializer)
    kind = rng.randrange(5)
    if kind == 0:
        item.data_type = rng.choice(range(24))
    elif kind == 1:
        dims = [
            rng.choice(NUMBERS) if rng.random() < 0.5 else side
            for side in [*item.dims, *([1] if rng.random() < 0.3 else [])]
        ]
        del item.dims[:]
        item.dims.extend(dims)
    else:
        array = numpy_helper.to_array(item).copy()
        if array.size and array.dtype.kind in "if":
            choice = FLOATS if array.dtype.kind == "f" else NUMBERS
            with np.errstate(all="ignore"):
                array.reshape(-1)[rng.randrange(array.size)] = np.array(rng.choice(choice)).astype(array.dtype)
        item.CopyFrom(numpy_helper.from_array(array, item.name))


def elsewhere(model: onnx.ModelProto, rng: Random) -> None:
    """Weights in another file."""
    item = rng.choice(model.graph.initializer)
    item.ClearField("raw_data")
    item.data_location = TensorProto.EXTERNAL
    item.external_data.add(key="location", value=rng.choice(("secret.bin", "/etc/passwd", "../x", "/dev/zero")))


def ends(model: onnx.ModelProto, rng: Random) -> None:
    """What goes in or comes out is of another shape or type."""
    item = rng.choice([*model.graph.input, *model.graph.output])
    kind = item.type.tensor_type
    if rng.random() < 0.3:
        kind.elem_type = rng.choice(range(24))
    elif rng.random() < 0.7 and kind.shape.dim:
        rng.choice(kind.shape.dim).dim_value = rng.choice(NUMBERS)
    elif rng.random() < 0.5:
        kind.shape.dim.add().dim_value = 1
    else:
        item.name = rng.choice([*NAMES, *(value for entry in model.graph.node for value in entry.output)])


def name(model: onnx.ModelProto, rng: Random) -> None:
    """Another name or domain of a node, or other versions."""
    item = rng.choice(model.graph.node)
    kind = rng.randrange(4)
    if kind == 0:
        item.domain = rng.choice(DOMAINS)
    elif kind == 1:
        item.name = rng.choice(NAMES)
    elif kind == 2:
        model.opset_import[0].version = rng.choice((1, 7, 11, 12, 13, 14, 17, 19, 21, 23, 26, 99, 2**40, -1))
    else:
        model.opset_import.add(domain=rng.choice(DOMAINS), version=rng.choice((1, 2, 18)))


def large(model: onnx.ModelProto, rng: Random) -> None:
    """A node between two others that makes something large, or goes on for ever."""
    at = rng.randrange(len(model.graph.node))
    item = model.graph.node[at]
    if not item.input:
        return
    read = item.input[0]
    sides = np.array([rng.choice((1, 2, 64, 4096, 65_536, 10**6, 10**9, 2**40)) for _ in range(rng.choice((1, 2, 4)))])
    model.graph.initializer.append(numpy_helper.from_array(sides, "large_sides"))
    kind = rng.choice(
        ("Expand", "Tile", "ConstantOfShape", "Pad", "Resize", "Reshape", "OneHot", "Range", "EyeLike", "Upsample")
    )
    given = [read, "large_sides"] if kind != "ConstantOfShape" else ["large_sides"]
    if kind == "Resize":
        given = [read, "", "", "large_sides"]
    model.graph.node.insert(at, helper.make_node(kind, given, ["large_made"]))
    item.input[0] = "large_made"


Change = Callable[[onnx.ModelProto, Random], None]
CHANGES: list[Change] = [
    similar, similar, similar, similar,
    slightly, slightly, slightly, slightly, numbers, operator,
    attribute, attribute, wiring, wiring, nodes, constant, constant, ends, name, large, large,
    elsewhere,
]  # fmt: skip
