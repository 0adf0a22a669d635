"""A trained network as a bundle of any format."""

from __future__ import annotations

from leansort.arch.trained_model import TrainedModel
from leansort.core.bundle import FORMATS, Bundle
from leansort.core.errors import not_one_of
from leansort.export.bundle_meta import describe_bundle
from leansort.export.onnx import export_onnx
from leansort.runtime import openvino_graph


def export_to_format(model: TrainedModel, graph_format: str, *, name: str = "") -> Bundle:
    """Export a trained model.

    Args:
        model: what to export.
        graph_format: `onnx`; `openvino`, with weights in float32; or `torch`, the architecture and its weights, for
            the engines that import torch.
        name: for people; the backbone's name where empty.

    Returns:
        The bundle, not yet checked for parity. The meta of all formats is the same, and equal input gives equal bytes.

    Raises:
        UserError: there is no such format.
        MissingExtraError: OpenVINO is not installed.
        IntegrityError: OpenVINO cannot read the graph.
    """
    if graph_format not in FORMATS:
        raise not_one_of("format", graph_format, FORMATS)
    if graph_format == "torch":
        return _native(model, name)
    bundle = export_onnx(model, name=name)
    if graph_format == bundle.format:
        return bundle
    return Bundle(bundle.meta, openvino_graph.files(openvino_graph.read(bundle)))


def _native(model: TrainedModel, name: str) -> Bundle:
    """Batch norms are folded, as in every other format."""
    network, meta = describe_bundle(model, name)
    spec = model.spec.model_validate(meta.provenance["spec"])
    folded = TrainedModel(spec, network.state_dict(), model.preprocess, model.labels)
    return Bundle(meta, {FORMATS["torch"][0]: folded.to_bytes()})
