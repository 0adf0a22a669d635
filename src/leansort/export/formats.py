"""A bundle's graph in another engine's own format: what it computes stays as it was."""

from __future__ import annotations

from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import not_one_of
from leansort.runtime import openvino_graph


def in_format(bundle: Bundle, graph_format: str) -> Bundle:
    """Translate an ONNX bundle.

    Args:
        bundle: in the onnx format.
        graph_format: `onnx`, which leaves it as it is, or `openvino`, with weights in float32.

    Returns:
        A bundle with the same meta. Equal input gives equal bytes.

    Raises:
        UserError: there is no such format.
        MissingExtraError: OpenVINO is not installed.
        IntegrityError: OpenVINO cannot read the graph.
    """
    if graph_format not in FORMATS:
        raise not_one_of("format", graph_format, FORMATS)
    if graph_format == bundle.format:
        return bundle
    return Bundle(bundle.meta, openvino_graph.files(openvino_graph.read(bundle)))
