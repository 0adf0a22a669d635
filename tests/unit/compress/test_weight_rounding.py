"""Weights rounded for their layers' outputs: less error than the nearest steps make, within one step of each weight."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from leansort.compress.quantization.post_training import Rounding, quantize_onnx
from leansort.compress.quantization.weight_rounding import LayerInputs, choose_steps, round_weights
from leansort.core.bundle import Bundle
from leansort.runtime import engine as engines
from tests.support.graphs import SIZE, meta, node, onnx_graph

MOST = 64


@pytest.mark.parametrize("groups", [1, 12])
def test_steps_lie_next_to_the_weights_and_err_less(groups: int) -> None:
    rng = np.random.default_rng(0)
    inputs = LayerInputs.of(rng.random((4096, groups, 9)) @ rng.random((9, 9)))  # all of them vary together
    weights = rng.normal(size=(12, 9))
    scale = np.abs(weights).max(1) / MOST

    def error(steps: np.ndarray) -> float:
        off = (steps * scale[:, None] - weights).reshape(groups, -1, 9)
        return float((off @ inputs.covariance_gff * off).sum())

    nearest = np.round(weights / scale[:, None])
    steps = choose_steps(weights, inputs.covariance_gff, scale, MOST)
    assert np.abs(steps - weights / scale[:, None]).max() < 1
    assert (np.abs(steps).max(1) == MOST).all()
    assert error(steps) < 0.5 * error(nearest)


def edge_filters(channels: int = 8) -> Bundle:
    """A depthwise filter for each channel that adds up to nearly nothing, with large weights of both signs."""
    rng = np.random.default_rng(1)
    first = np.abs(rng.normal(0, 0.2, (channels, 3, 1, 1))) / 255
    edges = rng.normal(0, 8, (channels, 1, 3, 3))
    edges -= edges.mean((2, 3), keepdims=True)
    constants = {
        "first": first.astype(np.float32), "bias": np.full(channels, 0.5, np.float32),
        "edges": edges.astype(np.float32), "mix": rng.normal(0, 1, (3, channels, 1, 1)).astype(np.float32),
        "axes": np.array([2, 3]),
    }  # fmt: skip
    nodes = [
        node("Cast", "image", "pixels", to=1),
        node("Transpose", "pixels", "channels", perm=[0, 3, 1, 2]),
        node("Conv", "channels first bias", "bright"),
        node("Conv", "bright edges", "found", group=channels, pads=[1, 1, 1, 1]),
        node("Relu", "found", "kept"),
        node("Conv", "kept mix", "mixed"),
        node("ReduceMean", "mixed axes", "logits", keepdims=0),
    ]
    return Bundle(meta(), {"graph.onnx": onnx_graph(nodes, constants).SerializeToString()})


def photos(count: int, seed: int) -> np.ndarray:
    """Bright, with faint texture."""
    rng = np.random.default_rng(seed)
    shade = rng.integers(120, 220, (count, 1, 1, 3))
    return np.clip(shade + rng.normal(0, 12, (count, SIZE, SIZE, 3)), 0, 255).astype(np.uint8)


def test_a_network_that_tells_edges_loses_less() -> None:
    bundle, shown = edge_filters(), photos(64, 1)
    exact = engines.compute_logits(engines.load_engine(bundle), shown)

    def error(rounding: Rounding) -> float:
        int8 = quantize_onnx(bundle, photos(64, 0), rounding=rounding)
        assert int8.meta.provenance["quantized"]["rounding"] == rounding
        return float(np.square(engines.compute_logits(engines.load_engine(int8), shown) - exact).mean())

    assert error("outputs") < 0.5 * error("nearest")


def test_layers_that_stay_in_float_keep_their_weights() -> None:
    bundle = edge_filters()
    left = round_weights(bundle.graph, [photos(32, 0)], 7, ["Conv_found"])
    before, after = (
        {item.name: numpy_helper.to_array(item) for item in onnx.load_from_string(graph).graph.initializer}
        for graph in (bundle.graph, left)
    )
    readers = {item.name: item.input[1] for item in onnx.load_from_string(left).graph.node if item.op_type == "Conv"}
    assert readers["Conv_found"] == "edges"
    assert readers["Conv_mixed"] == "Conv_mixed_rounded_weight"
    assert np.abs(after["Conv_mixed_rounded_weight"] - before["mix"]).max() > 0
