"""What the layers of a bundle's ONNX graph put out, for those who look into one; needs onnx, which no robot has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnxruntime

from leansort.runtime.engine import Pixels

LAYERS = ("Conv", "Gemm", "MatMul")
Floats = npt.NDArray[np.float32]


def layer_outputs(graph: bytes) -> tuple[list[str], Callable[[Pixels], list[Floats]]]:
    """Make a graph give the output of each of its layers.

    Args:
        graph: serialized ONNX, in float.

    Returns:
        Names of the layers in graph order, and what runs images, uint8 (b, size, size, 3), to their outputs.
    """
    import onnx

    model = onnx.load_from_string(graph)
    layers = [node for node in model.graph.node if node.op_type in LAYERS]
    outputs = [node.output[0] for node in layers]
    del model.graph.output[:]
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None) for output in outputs
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # equal sums on every machine
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return [node.name for node in layers], lambda batch: session.run(outputs, {name: batch})
