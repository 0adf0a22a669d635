"""Graphs in OpenVINO's format that pass as files and ask for too much: refused between reading and compiling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError
from leansort.core.graphs import onnx_shapes as checks
from leansort.runtime import engine as engines
from leansort.runtime import openvino_graph, openvino_sizes
from leansort.runtime.predictor import Classifier
from tests.support.graph_changes import many_operators
from tests.support.graphs import LABELS, SIZE, bundle_of, colour_bundle, ending, meta, node, pixels

pytest.importorskip("openvino")


def converted(model: onnx.ModelProto) -> Bundle:
    """The graph in OpenVINO's format, whatever it asks for."""
    return Bundle(meta(), openvino_graph.files(openvino_graph.read(bundle_of(model))))


def tiled(often: list[int], *more: onnx.NodeProto, **constants: Any) -> onnx.ModelProto:
    whole = {"often": np.array(often), "last": np.array([1]), **constants}
    nodes = [node("Tile", "colour often", "wide"), *more]
    end = more[-1].output[0] if more else "wide"
    return ending(*nodes, node("ReduceMean", f"{end} last", "m"), node("Add", "colour m", "logits"), constants=whole)


CASES = {
    "numbers held at once": lambda: tiled([1, 40_000_000]),
    "multiply-adds": lambda: tiled(
        [1, 9_000_000], node("Reshape", "wide rows", "r"), node("Transpose", "r", "t", perm=[0, 2, 1]),
        node("MatMul", "r t", "large"), node("MatMul", "large large", "larger"),
        node("ReduceMean", "larger last", "n", keepdims=0), rows=np.array([-1, 5000, 5400]),
    ),
    "only running it would tell": lambda: ending(
        node("Cast", "colour", "w", to=7), node("ReduceMax", "w", "n", keepdims=0),
        node("Unsqueeze", "n zero", "shape"),
        node("ConstantOfShape", "shape", "large"), node("ReduceMean", "large", "one", keepdims=0),
        node("Add", "colour one", "logits"), constants={"zero": np.array([0])}),
    "divides whole numbers": lambda: ending(
        node("Cast", "colour", "w", to=6), node("Sub", "w w", "z"), node("Div", "w z", "q"),
        node("Cast", "q", "logits", to=1)),
    "its labels are 3": lambda: ending(node("Concat", "colour colour", "logits", axis=1)),
}  # fmt: skip


@pytest.mark.parametrize("expected", CASES)
def test_what_asks_for_too_much_is_not_compiled(tmp_path: Path, expected: str) -> None:
    converted(CASES[expected]()).save(tmp_path / "m")
    with pytest.raises(IntegrityError, match=expected) as caught:
        Classifier.load(tmp_path / "m")
    assert "\n" not in str(caught.value)


def test_numbers_are_counted_as_of_onnx() -> None:
    for model in (many_operators(), ending(node("Identity", "colour", "logits"))):
        read = openvino_graph.read(bundle_of(model))
        read.reshape([1, SIZE, SIZE, 3])
        held = openvino_sizes.require(read, len(LABELS), 0)
        told = checks.check(model.SerializeToString(), SIZE, len(LABELS)).numbers
        assert 0.5 < held / told < 2


def test_engines_know_what_a_picture_takes(tmp_path: Path) -> None:
    for item in (colour_bundle(), colour_bundle("openvino")):
        item.save(tmp_path / "m")
        opened = bundles.load(tmp_path / "m")
        runner = engines.load_engine(opened, "openvino")
        assert getattr(runner, "numbers", 0) >= SIZE * SIZE * 3
        assert runner.run(pixels(3)).shape == (3, len(LABELS))
