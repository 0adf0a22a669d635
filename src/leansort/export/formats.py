"""A trained network as a bundle of any format."""

from __future__ import annotations

from collections.abc import Callable

from leansort.arch.trained_model import TrainedModel
from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import not_one_of
from leansort.export.bundle_meta import describe_bundle
from leansort.export.onnx import export_onnx
from leansort.runtime import openvino_graph
from leansort.runtime.conversion import ncnn_graph
from leansort.runtime.conversion.litert import litert_graph


def export_to_format(model: TrainedModel, graph_format: str, *, name: str = "") -> Bundle:
    """Export a trained model.

    Args:
        model: what to export.
        graph_format: `onnx`; `openvino`, `ncnn` and `litert`, with weights in float32; or `torch`, the architecture
            and its weights, for the engines that import torch.
        name: for people; the backbone's name where empty.

    Returns:
        The bundle, not yet checked for parity. The meta of all formats is the same, and equal input gives equal bytes.

    Raises:
        UserError: there is no such format.
        MissingExtraError: the format's library is not installed.
        IntegrityError: OpenVINO cannot read the graph.
        LeansortError: the format's converter cannot convert a layer, which is named.
    """
    if graph_format not in FORMATS:
        raise not_one_of("format", graph_format, FORMATS)
    if graph_format == "torch":
        return _native(model, name)
    return convert_to_format(export_onnx(model, name=name), graph_format)


def convert_to_format(bundle: Bundle, graph_format: str) -> Bundle:
    """Convert a bundle with an ONNX graph; its meta stays, and so does the distance where it has one.

    Args:
        bundle: in the onnx format; for `ncnn` in float.
        graph_format: `onnx`, `openvino`, `ncnn` or `litert`.

    Raises:
        UserError: there is no such format, or the bundle cannot be converted to it.
        MissingExtraError: the format's library is not installed.
        IntegrityError: OpenVINO cannot read the graph.
        LeansortError: the format's converter cannot convert a layer, which is named.
    """
    if graph_format == bundle.format:
        return bundle
    if graph_format not in _CONVERTERS:
        raise not_one_of("format", graph_format, ("onnx", *_CONVERTERS))
    return _CONVERTERS[graph_format](bundle)


def _to_openvino(bundle: Bundle) -> Bundle:
    return Bundle(bundle.meta, openvino_graph.files(openvino_graph.read(bundle)))


_CONVERTERS: dict[str, Callable[[Bundle], Bundle]] = {
    "openvino": _to_openvino,
    "ncnn": ncnn_graph.convert,
    "litert": litert_graph.convert,
}


def _native(model: TrainedModel, name: str) -> Bundle:
    """Batch norms are folded, as in every other format."""
    network, meta = describe_bundle(model, name)
    spec = model.spec.model_validate(meta.provenance["spec"])
    folded = TrainedModel(spec, network.state_dict(), model.preprocess, model.labels)
    return Bundle(meta, {FORMATS["torch"][0]: folded.to_bytes()})
