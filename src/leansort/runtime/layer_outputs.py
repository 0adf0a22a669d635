"""What the layers of a bundle's ONNX graph put out, for those who look into one; needs onnx, which no robot has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import onnxruntime

from leansort.runtime.engine import Pixels

if TYPE_CHECKING:
    import onnx

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
    return [node.name for node in layers], read_values(model, [node.output[0] for node in layers])


def read_values(model: onnx.ModelProto, names: Sequence[str]) -> Callable[[Pixels], list[Floats]]:
    """Make a graph give values of its inside.

    Args:
        model: the graph, in float; it is left as it is.
        names: of values that nodes of it make.

    Returns:
        What runs images, uint8 (b, size, size, 3), to these values.
    """
    import onnx

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # equal sums on every machine
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0].name
    return lambda batch: session.run(list(names), {given: batch})
