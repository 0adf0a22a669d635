"""What is told of a graph before it runs is what ONNX Runtime then makes: every shape, by every kind of operator."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leansort.core import bundle as bundles
from leansort.core.graphs import onnx_model as models
from leansort.core.graphs import onnx_shapes as checks
from leansort.core.graphs.faults import UnsoundGraphError
from leansort.core.graphs.limits import NUMBERS
from leansort.core.graphs.protobuf.messages import UINT8
from leansort.core.graphs.shape_rules import small_tensors
from leansort.core.graphs.shape_trace import Trace, TracedValue
from leansort.runtime.autobatch import BatchPlan, candidate_plans
from tests.support.graph_changes import many_operators
from tests.support.graphs import SIZE, bundle_of, colour_bundle, ending, mean_colour, node, onnx_graph

ROOT = Path(__file__).parents[3]
ODD = np.arange(24, dtype=np.float32)


def traced(graph: bytes, size: int, pictures: int) -> dict[str, TracedValue]:
    """Every value of a graph, as it is told before it runs."""
    read = models.read(graph)
    trace = Trace(read, checks.RULES, checks.KINDS, small_tensors.KINDS, small_tensors.compute, pictures)
    trace.run({read.inputs[0].name: TracedValue((pictures, size, size, 3), UINT8)})
    return trace.values


def made(graph: bytes, size: int, pictures: int) -> dict[str, Any]:
    """Every value that the nodes of a graph make, as ONNX Runtime makes it."""
    whole = onnx.load_from_string(graph)
    names = [name for item in whole.graph.node for name in item.output if name]
    del whole.graph.output[:]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    noise = np.random.default_rng(0).integers(0, 256, (pictures, size, size, 3)).astype(np.uint8)
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: noise}), strict=True))


def require_alike(graph: bytes, size: int, pictures: int) -> None:
    """Each shape and type is the one that was told, and each number too where it was."""
    told, types = traced(graph, size, pictures), onnx.helper.tensor_dtype_to_np_dtype
    for name, value in made(graph, size, pictures).items():
        assert told[name].shape == value.shape, name
        assert types(told[name].type) == value.dtype, name
        if told[name].known is not None:
            np.testing.assert_allclose(np.asarray(told[name].known), value, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("pictures", [1, 2, 5])
def test_of_a_graph_of_many_operators(pictures: int) -> None:
    require_alike(many_operators().SerializeToString(), SIZE, pictures)


def test_of_an_int8_network() -> None:
    bundle = bundles.load(ROOT / "src" / "leansort" / "models" / "trashnet-compressed" / "model.leansort")
    require_alike(bundle.graph, bundle.meta.preprocess.size, 2)
    held = checks.check(bundle.graph, bundle.meta.preprocess.size, len(bundle.meta.labels))
    assert 0.95 < held.work / bundle.meta.macs < 1.5
    assert 100_000 < held.numbers < 5_000_000
    assert bundle.numbers == held.numbers


ALONE: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {  # node's inputs beside `v`, attributes, constants
    "ReduceMean": ("a", {"keepdims": 0}, {"a": [1, -1]}), "ReduceMax": ("", {}, {}),
    "ReduceSum": ("a", {"noop_with_empty_axes": 1}, {"a": np.zeros(0, np.int64)}), "ReduceL2": ("a", {}, {"a": [2]}),
    "ArgMax": ("", {"axis": 2, "keepdims": 0}, {}), "ArgMin": ("", {"axis": -1}, {}),
    "AveragePool": ("", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "pads": [1, 1, 1, 1]}, {}),
    "MaxPool": ("", {"kernel_shape": [3, 2], "strides": [2, 1], "auto_pad": "SAME_UPPER"}, {}),
    "LpPool": ("", {"kernel_shape": [3, 3], "auto_pad": "VALID"}, {}), "GlobalMaxPool": ("", {}, {}),
    "Conv": ("w", {"strides": [2, 3], "auto_pad": "SAME_LOWER"}, {"w": np.ones((5, 2, 3, 3), np.float32)}),
    "ConvTranspose": (
        "w", {"strides": [3, 2], "output_padding": [1, 1], "pads": [1, 0, 0, 1], "group": 2},
        {"w": np.ones((2, 3, 4, 4), np.float32)},
    ),
    "MatMul": ("w", {}, {"w": np.ones((1, 2, 6, 4), np.float32)}), "Flatten": ("", {"axis": 2}, {}),
    "Transpose": ("", {}, {}), "DepthToSpace": ("", {"blocksize": 1}, {}), "SpaceToDepth": ("", {"blocksize": 2}, {}),
    "Squeeze": ("", {}, {}), "Unsqueeze": ("a", {}, {"a": [0, -1]}), "Shape": ("", {"start": 1, "end": -1}, {}),
    "Gather": ("i", {"axis": 3}, {"i": [[0, 1], [2, -1]]}), "GatherND": ("i", {}, {"i": [[0, 1], [0, 0]]}),
    "Slice": ("s e a t", {}, {"s": [5, -9], "e": [-99, 3], "a": [3, 2], "t": [-2, 1]}), "Size": ("", {}, {}),
    "Split": ("", {"axis": 3, "num_outputs": 1}, {}), "Pad": ("p  a", {}, {"p": [1, -1], "a": [3]}),
    "Resize": (" s", {"mode": "cubic", "antialias": 1}, {"s": np.array([1, 1, 1.7, 0.4], np.float32)}),
    "TopK": ("k", {"axis": 3}, {"k": [4]}), "CumSum": ("k", {}, {"k": 2}), "Erf": ("", {}, {}),
    "Expand": ("s", {}, {"s": [1, 2, 1, 1, 1]}), "Tile": ("s", {}, {"s": [1, 2, 1, 3]}), "PRelu": ("w", {}, {"w": np.ones((2, 1, 1), np.float32)}),  # noqa: E501
    "LayerNormalization": ("w", {"axis": -1}, {"w": np.ones(6, np.float32)}), "Softmax": ("", {"axis": 1}, {}),
    "DynamicQuantizeLinear": ("", {}, {}), "QuantizeLinear": ("w", {}, {"w": np.float32(0.1)}), "IsNaN": ("", {}, {}),
    "GridSample": ("g", {}, {"g": np.zeros((2, 3, 5, 2), np.float32)}), "Trilu": ("", {}, {}),
    "Cast": ("", {"to": 10}, {}),
    "Where": ("w v", {}, {"w": np.ones(6, np.float32)}), "Einsum": ("w", {"equation": "bchw,wk->bkc"}, {"w": np.ones((6, 3), np.float32)}),  # noqa: E501
    "OneHot": ("d o", {"axis": 1}, {"d": 4, "o": np.array([0, 1], np.float32)}),
    "ScatterND": ("i u", {}, {"i": [[0, 0, 0, 0]], "u": np.ones(1, np.float32)}), "Dropout": ("", {}, {}),
    "Concat": ("v v", {"axis": -2}, {}), "GatherElements": ("i", {"axis": 3}, {"i": np.zeros((2, 1, 1, 4), np.int64)}),
}  # fmt: skip


OUTPUTS = {"TopK": "out at", "DynamicQuantizeLinear": "out scale middle", "MaxPool": "out at", "Dropout": "out kept"}


@pytest.mark.parametrize("kind", ALONE)
def test_of_an_operator_alone(kind: str) -> None:
    """On a value of two pictures, (2, 2, 4, 6), between the pixels and the logits."""
    inputs, attributes, constants = ALONE[kind]
    first = {"Where": "truth", "OneHot": "whole"}.get(kind, "v")
    nodes = [
        node("Slice", "pixels low high second", "rows"), node("Reshape", "rows four", "v"),
        node("Cast", "v", "whole", to=7), node("Greater", "v zero", "truth"),
        node(kind, f"{first} {inputs}" if inputs else first, OUTPUTS.get(kind, "out"), **attributes),
        node("Identity", "colour", "logits"),
    ]  # fmt: skip
    shared = {"low": [0, 0], "high": [1, SIZE], "second": [1, 2], "four": [0, 2, 4, 6], "zero": np.float32(9)}
    named = {name: np.asarray(value) for name, value in {**shared, **constants}.items()}
    require_alike(ending(*nodes, constants=named).SerializeToString(), SIZE, 2)


@pytest.mark.parametrize("pictures", [1, 3])
def test_of_shapes_that_the_file_computes(pictures: int) -> None:
    nodes = [
        node("Shape", "colour", "shape"), node("Gather", "shape at", "batch"), node("Mul", "batch two", "double"),
        node("Div", "double two", "half"), node("Add", "half two", "more"), node("Sub", "more two", "less"),
        node("Unsqueeze", "less first", "listed"), node("Concat", "listed three", "wanted", axis=0),
        node("Equal", "wanted minus", "asks"), node("Where", "asks ones wanted", "whole"),
        node("Expand", "colour whole", "wide"), node("ConstantOfShape", "whole", "zeros"),
        node("Max", "listed three", "most"), node("ReduceProd", "whole", "product", keepdims=0),
        node("Range", "start product two", "counted"), node("Cast", "less", "float", to=1),
        node("Ceil", "float", "up"), node("Sqrt", "up", "root"), node("Slice", "whole first one_ first", "part"),
        node("Squeeze", "part first", "single"), node("Add", "wide zeros", "logits"),
    ]  # fmt: skip
    constants = {
        "at": 0, "two": 2, "first": [0], "three": [3], "minus": [-1], "ones": [1], "start": 0, "one_": [1],
    }  # fmt: skip
    whole = ending(*nodes, constants={name: np.asarray(value) for name, value in constants.items()})
    require_alike(whole.SerializeToString(), SIZE, pictures)


def test_numbers_and_work_by_hand() -> None:
    """Pixels 1536, as floats 1536; they are held together, then the floats and the six means."""
    needs = checks.check(ending(node("Identity", "colour", "logits")).SerializeToString(), SIZE, 3)
    assert needs.numbers == 2 * SIZE * SIZE * 3
    weights = {"w": np.ones((8, 3, 3, 3), np.float32), "g": np.ones((8, 3), np.float32)}
    nodes = [
        node("Transpose", "pixels", "chw", perm=[0, 3, 1, 2]), node("Conv", "chw w", "c", pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", "c", "p"), node("Flatten", "p", "f"), node("Gemm", "f g", "logits"),
    ]  # fmt: skip
    graph = onnx_graph([mean_colour()[0], *nodes], weights).SerializeToString()
    needs = checks.check(graph, SIZE, 3)
    area = SIZE * SIZE
    assert needs.work >= area * 8 * 27 + 8 * 3
    assert needs.numbers == area * 3 + area * 8 + area * 27 // 2  # in, out, and under the windows, of one in two


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 4000), st.integers(0, 60))
def test_any_bytes_are_read_or_refused(put: bytes, at: int, cut: int) -> None:
    graph = bytearray(many_operators().SerializeToString())
    graph[at : at + cut] = put
    with contextlib.suppress(UnsoundGraphError):
        assert checks.check(bytes(graph), SIZE, 3).numbers > 0


def test_names_numbers_and_attributes_are_those_that_onnx_reads() -> None:
    whole = many_operators()
    read = models.read(whole.SerializeToString())
    assert [each_item.name for each_item in whole.graph.initializer] == list(read.constants)
    for item in whole.graph.initializer:
        array = onnx.numpy_helper.to_array(item)
        np.testing.assert_array_equal(np.asarray(read.constants[item.name].array()), array)
    for theirs, ours in zip(whole.graph.node, read.nodes, strict=True):
        assert (theirs.op_type, list(theirs.input), list(theirs.output)) == (ours.kind, ours.inputs, ours.outputs)
        for entry in theirs.attribute:
            value = onnx.helper.get_attribute_value(entry)
            if isinstance(value, int):
                assert ours.integer(entry.name) == value
            elif isinstance(value, bytes):
                assert ours.text(entry.name) == value.decode()
            else:
                assert ours.integers(entry.name) == list(value)


def test_typed_numbers_are_read_as_raw_ones() -> None:
    for kind, values in ((1, [1.5, -2.0]), (7, [1, -(2**40)]), (6, [3, -3]), (9, [True, False]), (2, [0, 255])):
        typed = onnx.helper.make_tensor("w", kind, [2], values)
        whole = ending(node("Identity", "colour", "logits"))
        whole.graph.initializer.append(typed)
        read = models.read(whole.SerializeToString()).constants["w"].array()
        np.testing.assert_array_equal(np.asarray(read), np.array(values))


def test_batches_of_a_large_network_are_cut_to_what_fits(tmp_path: Path) -> None:
    assert candidate_plans(0, 0, most=3)[-1].batch <= 3
    assert candidate_plans(2, 16, most=8) == [BatchPlan(2, 4)]
    assert candidate_plans(5, 16, most=3) == [BatchPlan(5, 1)]
    assert candidate_plans(1, 16) == candidate_plans(1, 16, most=NUMBERS) == [BatchPlan(1, 16)]
    for item in (colour_bundle(), bundle_of(many_operators())):
        item.save(tmp_path / "m")
        assert bundles.load(tmp_path / "m").numbers > 0
