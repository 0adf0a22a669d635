"""Weights stored in 16 bits and cast back as the engine loads them: half the size, computed as before."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from leansort.core.bundle import Bundle
from leansort.runtime import openvino_graph

LEAST = 257  # elements; a cast costs more than smaller ones save
_MOST = float(np.finfo(np.float16).max)
# Scales and zero points must be constants as they stand, or the engines do not see that the graph is int8.
_QUANTIZERS = ("QuantizeLinear", "DequantizeLinear", "FakeQuantize", "Multiply")


def half_weights(bundle: Bundle) -> Bundle:
    """Store float32 constants of more than 256 values as float16; results change by that rounding alone.

    Args:
        bundle: in either format; an int8 one has only what it kept in float halved.

    Returns:
        A bundle of the same format, with `half` in its provenance. Equal input gives equal bytes.

    Raises:
        MissingExtraError: the bundle is in OpenVINO's format and OpenVINO is not installed.
    """
    if bundle.format == "onnx":
        files = {"graph.onnx": _half_onnx(bundle.graph)}
    else:
        model = openvino_graph.read(bundle)
        halve(model)
        files = dict(openvino_graph.files(model))
    provenance = {**bundle.meta.provenance, "half": {"weights": "float16"}}
    return Bundle(bundle.meta.model_copy(update={"provenance": provenance}), files)


def halve(model: Any) -> None:
    """Turn the constants of an `openvino.Model` into 16 bits with a conversion behind each, in place."""
    ops = openvino_graph.library().opset13
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_element_type().get_type_name() != "f32":
            continue
        output = node.output(0)
        readers = {one.get_node().get_type_name() for one in output.get_target_inputs()}
        if _fits(node.data) and not readers.intersection(_QUANTIZERS):
            output.replace(ops.convert(ops.constant(node.data.astype(np.float16)), "f32").output(0))


def _half_onnx(graph: bytes) -> bytes:
    model = onnx.load_from_string(graph)
    scales = {name for node in model.graph.node if node.op_type in _QUANTIZERS for name in node.input}
    casts = []
    for value in model.graph.initializer:
        if value.data_type != onnx.TensorProto.FLOAT or value.name in scales:
            continue
        weights = numpy_helper.to_array(value)
        if _fits(weights):
            name, half = value.name, f"{value.name}/half"
            value.CopyFrom(numpy_helper.from_array(weights.astype(np.float16), half))
            casts.append(onnx.helper.make_node("Cast", [half], [name], f"{name}/cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return bytes(model.SerializeToString(deterministic=True))


def _fits(weights: npt.NDArray[np.float32]) -> bool:
    return weights.size >= LEAST and bool(np.abs(weights).max() <= _MOST)
