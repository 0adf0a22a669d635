"""Weights stored in 16 bits and cast back as the engine loads them: half the size, computed as before."""

from __future__ import annotations

from typing import Any, Literal

import ml_dtypes
import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from leansort.core.bundle import Bundle
from leansort.runtime import openvino_graph

LEAST = 257  # elements; a cast costs more than smaller ones save
Half = Literal["fp16", "bf16"]  # fp16 rounds eight times more finely, bf16 has the range of 32 bits
_TYPES: dict[Half, np.dtype[Any]] = {"fp16": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}
# Scales and zero points must be constants as they stand, or the engines do not see that the graph is int8.
_QUANTIZERS = ("QuantizeLinear", "DequantizeLinear", "FakeQuantize", "Multiply")


def half_weights(bundle: Bundle, kind: Half = "fp16") -> Bundle:
    """Store float32 constants of more than 256 values in 16 bits; results change by that rounding alone.

    Args:
        bundle: in either format; an int8 one has only what it kept in float halved.
        kind: of 16 bits.

    Returns:
        A bundle of the same format, with `half` in its provenance. Equal input gives equal bytes.

    Raises:
        MissingExtraError: the bundle is in OpenVINO's format and OpenVINO is not installed.
    """
    if bundle.format == "onnx":
        files = {"graph.onnx": _half_onnx(bundle.graph, kind)}
    else:
        model = openvino_graph.read(bundle)
        halve(model, kind)
        files = dict(openvino_graph.files(model))
    provenance = {**bundle.meta.provenance, "half": {"weights": _TYPES[kind].name}}
    return Bundle(bundle.meta.model_copy(update={"provenance": provenance}), files)


def halve(model: Any, kind: Half = "fp16") -> None:
    """Turn the constants of an `openvino.Model` into 16 bits with a conversion behind each, in place."""
    library = openvino_graph.library()
    ops, wanted = library.opset13, {"fp16": library.Type.f16, "bf16": library.Type.bf16}[kind]
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_element_type().get_type_name() != "f32":
            continue
        output = node.output(0)
        readers = {target_input.get_node().get_type_name() for target_input in output.get_target_inputs()}
        half = None if readers.intersection(_QUANTIZERS) else _rounded(node.data, kind)
        if half is not None:  # rounded already, however OpenVINO turns them into its own 16 bits
            output.replace(ops.convert(ops.constant(half.astype(np.float32), dtype=wanted), "f32").output(0))


def _half_onnx(graph: bytes, kind: Half) -> bytes:
    model = onnx.load_from_string(graph)
    scales = {name for node in model.graph.node if node.op_type in _QUANTIZERS for name in node.input}
    casts = []
    for value in model.graph.initializer:
        if value.data_type != onnx.TensorProto.FLOAT or value.name in scales:
            continue
        half = _rounded(numpy_helper.to_array(value), kind)
        if half is not None:
            name, stored = value.name, f"{value.name}/half"
            value.CopyFrom(numpy_helper.from_array(half, stored))
            casts.append(onnx.helper.make_node("Cast", [stored], [name], f"{name}/cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return bytes(model.SerializeToString(deterministic=True))


def _rounded(weights: npt.NDArray[np.float32], kind: Half) -> npt.NDArray[Any] | None:
    """In 16 bits, to the nearest; None where they are too few to be worth it, or one is too large."""
    with np.errstate(over="ignore"):
        half = weights.astype(_TYPES[kind])
    return half if weights.size >= LEAST and bool(np.isfinite(half.astype(np.float32)).all()) else None
