"""The one question to a bundle's graph, whatever its format: may it be run?"""

from __future__ import annotations

from collections.abc import Mapping

from leansort.core.graphs.faults import UnsoundGraphError

__all__ = ["UnsoundGraphError", "require"]


def require(graph_format: str, files: Mapping[str, bytes], size: int, classes: int) -> None:
    """Refuse a graph that is not one uint8 image in and logits out, or that has or needs what no bundle may.

    Args:
        graph_format: of the bundle.
        files: its files by name.
        size: side of the pictures in pixels.
        classes: number of labels.

    Raises:
        UnsoundGraphError: why it must not be run; the text goes on after "its graph".
    """
    if graph_format == "onnx":
        from leansort.core.graphs import onnx  # a robot loads the reader of its own format only

        onnx.check(files["graph.onnx"], size, classes)
    elif graph_format == "openvino":
        from leansort.core.graphs import openvino

        openvino.check(files["graph.xml"], len(files["graph.bin"]), size)
    else:
        from leansort.core.graphs import safetensors

        safetensors.check(files["network.safetensors"])
