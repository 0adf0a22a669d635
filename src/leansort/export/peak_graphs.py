"""The graphs whose speed is taken for what an engine can reach: one large matrix product.

They are shipped, for a robot has no onnx to make them with: `python -m leansort.export.peak_graphs` writes them again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from leansort.core.writing import atomic_io
from leansort.measure.roofline import FOLDER, SIDE, WIDTH

KINDS = ("f32", "int8")
_IR, _OPSET = 9, 18  # old enough for every engine at hand


def build_peak_graph(kind: str) -> bytes:
    """Serialized ONNX: uint8 (b, 16, 16, 3) as rows of 768, times a matrix of 768 x 768; two columns come out.

    The matrix is a constant that the engine fills in itself, which keeps the file small.
    """
    whole = np.array([WIDTH, WIDTH], np.int64)
    constants: dict[str, Any] = {"shape": whole, "zero": np.array([0]), "one": np.array([1]), "two": np.array([2])}
    if kind == "int8":
        constants |= {"scale": np.float32(0.01), "wide": np.float32(5), "u8": np.uint8(0), "s8": np.int8(0)}
    nodes = [helper.make_node("Flatten", ["image"], ["rows"], axis=1), *(_int8() if kind == "int8" else _f32())]
    nodes.append(helper.make_node("Slice", ["product", "zero", "two", "one"], ["logits"]))
    made = helper.make_graph(
        nodes,
        f"gemm_{kind}",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["b", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", 2])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    return bytes(model.SerializeToString(deterministic=True))


def _f32() -> list[onnx.NodeProto]:
    half = helper.make_tensor("value", TensorProto.FLOAT, [1], [0.5])
    return [
        helper.make_node("Cast", ["rows"], ["a"], to=TensorProto.FLOAT),
        helper.make_node("ConstantOfShape", ["shape"], ["w"], value=half),
        helper.make_node("MatMul", ["a", "w"], ["product"]),
    ]


def _int8() -> list[onnx.NodeProto]:
    three = helper.make_tensor("value", TensorProto.INT8, [1], [3])
    return [
        helper.make_node("DequantizeLinear", ["rows", "scale", "u8"], ["a"]),
        helper.make_node("ConstantOfShape", ["shape"], ["w8"], value=three),
        helper.make_node("DequantizeLinear", ["w8", "scale", "s8"], ["w"]),
        helper.make_node("MatMul", ["a", "w"], ["sums"]),
        helper.make_node("QuantizeLinear", ["sums", "wide", "u8"], ["sums8"]),
        helper.make_node("DequantizeLinear", ["sums8", "wide", "u8"], ["product"]),
    ]


def main(folder: Path = FOLDER) -> None:
    """Write the graphs."""
    for kind in KINDS:
        atomic_io.write_bytes(folder / f"gemm_{kind}.onnx", build_peak_graph(kind))


if __name__ == "__main__":
    main()
