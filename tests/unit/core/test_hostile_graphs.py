"""Graphs that must not be run: refused in one line when a bundle is opened or written, before an engine sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from leansort.core.errors import IntegrityError
from leansort.runtime.predictor import Classifier
from tests.support.graphs import IMAGE, LOGITS, SIZE, bundle_of, colour_bundle, ending, node, pixels, refusal

BIG = 1 << 40
Made = Callable[[], onnx.ModelProto]


def test_a_sound_graph_opens(tmp_path: Path) -> None:
    colour_bundle().save(tmp_path / "m")
    with Classifier.load(tmp_path / "m") as classifier:
        assert classifier.predict(np.full((SIZE, SIZE, 3), (9, 200, 9), np.uint8)).label == "b"


def branch() -> onnx.GraphProto:
    return helper.make_graph(
        [node("Identity", "colour", "inner")], "b", [], [helper.make_tensor_value_info("inner", 1, None)]
    )


def loop() -> onnx.GraphProto:
    """What is told to go on as long as it was told so, and does it."""
    given = [helper.make_tensor_value_info(name, kind, []) for name, kind in (("i", 7), ("go", 9))]
    given.append(helper.make_tensor_value_info("carried", 1, ["b", 3]))
    out = [helper.make_tensor_value_info("on", 9, []), helper.make_tensor_value_info("next", 1, ["b", 3])]
    return helper.make_graph([node("Identity", "go", "on"), node("Neg", "carried", "next")], "l", given, out)


def elsewhere() -> onnx.ModelProto:
    model = ending(node("Gemm", "colour w", "logits"), constants={"w": np.ones((3, 3), np.float32)})
    weight = next(item for item in model.graph.initializer if item.name == "w")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="secret.bin")
    return model


def own_function() -> onnx.ModelProto:
    inner = helper.make_function("own", "Twice", ["x"], ["y"], [node("Add", "x x", "y")], [helper.make_opsetid("", 18)])
    model = ending(helper.make_node("Twice", ["colour"], ["logits"], domain="own"), functions=[inner])
    return model


def sparse() -> onnx.ModelProto:
    model = ending(node("Identity", "colour", "logits"))
    values = helper.make_tensor("s", 1, [1], [1.0])
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, helper.make_tensor("i", 7, [1], [0]), [BIG])
    )
    return model


def filled(shape: list[int], kind: str = "ConstantOfShape", inputs: str = "shape") -> onnx.ModelProto:
    return ending(
        node(kind, inputs, "large"), node("ReduceMean", "large", "one", keepdims=0),
        node("Add", "colour one", "logits"), constants={"shape": np.array(shape), "unit": np.ones(1, np.float32)},
    )  # fmt: skip


CASES: dict[str, tuple[str, Made]] = {
    "scalar": ("need one float", lambda: ending(node("ReduceMean", "colour", "logits", keepdims=0))),
    "no rows": ("need one float", lambda: ending(
        node("Slice", "colour zero zero", "logits"), constants={"zero": np.array([0])})),
    "one row for all": ("need one float", lambda: ending(
        node("ReduceMean", "colour first", "logits"), constants={"first": np.array([0])})),
    "another rank": ("need one float", lambda: ending(
        node("Unsqueeze", "colour last", "logits"), constants={"last": np.array([2])})),
    "another width": ("has 6 outputs, its labels are 3", lambda: ending(
        node("Concat", "colour colour", "logits", axis=1))),
    "whole numbers": ("need one float", lambda: ending(
        node("Cast", "colour", "logits", to=7), out=("logits", 7, ["b", 3]))),
    "whole numbers called floats": ("need one float", lambda: ending(node("Cast", "colour", "logits", to=7))),
    "text": ("need one float", lambda: ending(
        node("Cast", "colour", "logits", to=8), out=("logits", 8, ["b", 3]))),
    "two outputs": ("need float (2, 1)", lambda: ending(
        node("Identity", "colour", "logits"), out=[LOGITS, ("colour", 1, ["b", 3])])),
    "no output": ("gives nothing", lambda: ending(node("Identity", "colour", "logits"), out=[])),
    "two inputs": ("need one uint8", lambda: ending(
        node("Identity", "colour", "logits"), given=[IMAGE, ("more", 1, [1])])),
    "an image of another size": ("need one uint8", lambda: ending(
        node("Identity", "colour", "logits"), given=("image", 2, ["b", 32, 32, 3]))),
    "a float image": ("need one uint8", lambda: ending(
        node("Identity", "colour", "logits"), given=("image", 1, ["b", SIZE, SIZE, 3]))),
    "an answer without the picture": ("gives constants", lambda: ending(
        node("Identity", "c", "logits"), constants={"c": np.ones((2, 3), np.float32)})),
    "a sequence": ("not among the operators", lambda: ending(
        node("SequenceConstruct", "colour", "s"), node("SequenceAt", "s zero", "logits"),
        constants={"zero": np.array(0)})),
    "a branch": ("loops and branches", lambda: ending(
        node("If", "yes", "logits", then_branch=branch(), else_branch=branch()), constants={"yes": np.array(True)})),
    "a loop that never ends": ("loops and branches", lambda: ending(
        node("Loop", " yes colour", "logits", body=loop()),
        constants={"yes": np.array(True)})),
    "its own function": ("functions of its own", own_function),
    "another domain": ("domain 'own'", lambda: ending(helper.make_node("Twice", ["colour"], ["logits"], domain="own"))),
    "noise": ("not among the operators", lambda: ending(node("RandomNormalLike", "colour", "logits"))),
    "weights elsewhere": ("weights in other files", elsewhere),
    "sparse weights": ("sparse weights", sparse),
    "numbers without end": ("numbers", lambda: filled([BIG])),
    "more than memory": ("numbers", lambda: filled([100_000_000, 64])),
    "stretched": ("numbers", lambda: filled([1 << 20, 1 << 20], "Expand", "unit shape")),
    "tiled": ("numbers", lambda: filled([1 << 40], "Tile", "unit shape")),
    "counted": ("numbers", lambda: ending(
        node("Range", "start end step", "large"), node("ReduceMax", "large", "one", keepdims=0),
        node("Cast", "one", "float", to=1), node("Add", "colour float", "logits"),
        constants={"start": np.array(0), "end": np.array(BIG), "step": np.array(1)})),
    "padded": ("numbers", lambda: ending(
        node("Pad", "colour pads", "large"), node("ReduceMean", "large last", "m"), node("Add", "colour m", "logits"),
        constants={"pads": np.array([0, 0, 0, BIG]), "last": np.array([1])})),
    "an outer product": ("numbers|multiply-adds", lambda: ending(
        node("Tile", "colour often", "wide"), node("Transpose", "wide", "high"), node("MatMul", "high wide", "large"),
        node("ReduceMean", "large", "one", keepdims=0), node("Add", "colour one", "logits"),
        constants={"often": np.array([1, 20_000])})),
    "hours of work": ("multiply-adds", lambda: ending(
        node("ConstantOfShape", "square", "w"), node("Tile", "colour often", "v0"),
        *(node("MatMul", f"v{at} w", f"v{at + 1}") for at in range(2000)),
        node("ReduceMean", "v2000 last", "one"), node("Add", "colour one", "logits"),
        constants={"often": np.array([1, 3000]), "square": np.array([9000, 9000]), "last": np.array([1])})),
    "a shape by the pixels": ("only running it would tell", lambda: ending(
        node("Cast", "colour", "w", to=7), node("Reshape", "w minus", "n"), node("ConstantOfShape", "n", "large"),
        node("ReduceMean", "large", "one", keepdims=0), node("Add", "colour one", "logits"),
        constants={"minus": np.array([-1])})),
    "a division by zero": ("divides whole numbers", lambda: ending(
        node("Cast", "colour", "w", to=6), node("Sub", "w w", "z"), node("Div", "w z", "q"),
        node("Cast", "q", "logits", to=1))),
    "strides without end": ("has strides", lambda: ending(
        node("Transpose", "pixels", "chw", perm=[0, 3, 1, 2]), node("Conv", "chw w", "c", strides=[1, BIG]),
        node("GlobalAveragePool", "c", "p"), node("Flatten", "p", "logits"),
        constants={"w": np.ones((3, 3, 1, 1), np.float32)})),
    "windows without end": ("pools", lambda: ending(
        node("Transpose", "pixels", "chw", perm=[0, 3, 1, 2]),
        node("MaxPool", "chw", "c", kernel_shape=[1, BIG], auto_pad="SAME_UPPER"), node("GlobalMaxPool", "c", "p"),
        node("Flatten", "p", "logits"))),
    "a value twice": ("twice", lambda: ending(
        node("Identity", "colour", "pixels"), node("Identity", "colour", "logits"))),
    "a value that nobody makes": ("nothing that makes", lambda: ending(node("Add", "colour ghost", "logits"))),
    "old operators": ("need one of 13", lambda: ending(node("Identity", "colour", "logits"), opset=9)),
    "shapes that do not fit": ("do not fit|multiplies", lambda: ending(
        node("Gemm", "colour w", "logits"), constants={"w": np.ones((4, 3), np.float32)})),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_graph_is_refused_before_an_engine_sees_it(tmp_path: Path, case: str) -> None:
    expected, made = CASES[case]
    text = refusal(tmp_path, bundle_of(made()))
    assert any(part in text for part in expected.split("|")), text


def test_weights_beside_the_program_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(np.eye(3, dtype=np.float32).tobytes())
    assert "weights in other files" in refusal(tmp_path, bundle_of(elsewhere()))


def infinite(kind: str) -> onnx.ModelProto:
    """Logits that are not finite where the picture is black."""
    zero = {"Log": "-inf", "Reciprocal": "inf", "Sqrt": "nan"}
    assert kind in zero
    front = [node("Sub", "colour half", "lower")] if kind == "Sqrt" else [node("Identity", "colour", "lower")]
    return ending(*front, node(kind, "lower", "logits"), constants={"half": np.float32(0.5)})


@pytest.mark.parametrize("kind", ["Log", "Reciprocal", "Sqrt"])
def test_numbers_that_are_not_finite_are_an_error_of_their_picture(tmp_path: Path, kind: str) -> None:
    bundle_of(infinite(kind)).save(tmp_path / "m")
    black, grey = np.zeros((SIZE, SIZE, 3), np.uint8), pixels()[0]
    with Classifier.load(tmp_path / "m") as classifier:
        for text in (classifier.predict(black), list(classifier.predict_many([grey, black, grey], batch=3))[1]):
            assert (text.label, text.accepted, text.probabilities) == ("", False, ())
            assert "no finite numbers" in text.error
        assert classifier.predict(grey).error == ""
        assert [bool(item.error) for item in classifier.predict_many([grey, black, grey])] == [False, True, False]


def test_a_graph_that_fails_when_it_runs_is_one_line(tmp_path: Path) -> None:
    nodes = [node("Cast", "colour", "where", to=7), node("GatherElements", "colour where", "logits", axis=1)]
    bundle_of(ending(*nodes)).save(tmp_path / "m")  # which column it takes the pixels say
    with Classifier.load(tmp_path / "m") as classifier:
        with pytest.raises(IntegrityError, match="cannot be run by ONNX Runtime") as caught:
            classifier.predict(pixels()[0])
        assert "\n" not in str(caught.value)
        with pytest.raises(IntegrityError, match="cannot be run by ONNX Runtime"):
            list(classifier.predict_many([pixels()[0]]))
