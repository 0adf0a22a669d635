"""The one question to a bundle's graph, whatever its format: may it be run?"""

from __future__ import annotations

from collections.abc import Mapping

from leansort.core.graphs.faults import UnsoundGraphError

__all__ = ["UnsoundGraphError", "require"]


def require(graph_format: str, files: Mapping[str, bytes], size: int, classes: int) -> int:
    """Refuse a graph that is not one uint8 image in and logits out, or that has or needs what no bundle may.

    Args:
        graph_format: of the bundle.
        files: its files by name.
        size: side of the images in pixels.
        classes: number of labels.

    Returns:
        Numbers of 32 bits that it holds at once for one image; 0 where only an engine can tell.

    Raises:
        UnsoundGraphError: why it must not be run; the text goes on after "its graph".
    """
    if graph_format == "onnx":
        from leansort.core.graphs import onnx_shapes  # a robot loads the reader of its own format only

        return onnx_shapes.check(files["graph.onnx"], size, classes).numbers
    if graph_format == "openvino":
        from leansort.core.graphs import openvino_ir

        openvino_ir.check(files["graph.xml"], len(files["graph.bin"]), size)
    elif graph_format == "ncnn":
        from leansort.core.graphs.ncnn import graph

        return graph.check(files["graph.ncnn.param"], files["graph.ncnn.bin"], size, classes)
    elif graph_format == "litert":
        from leansort.core.graphs.litert import tflite_graph as litert_graph

        return litert_graph.check(files["graph.tflite"], size, classes)
    else:
        from leansort.core.graphs import safetensors_header

        safetensors_header.check(files["network.safetensors"])
    return 0
