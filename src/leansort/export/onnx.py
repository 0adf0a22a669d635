"""From a TrainedModel to a bundle with an ONNX graph: uint8 NHWC RGB in, normalization inside, logits out."""

from __future__ import annotations

import io
from typing import Any

import torch
from torch import nn

from leansort.arch.inference_module import InferenceModule
from leansort.arch.trained_model import TrainedModel
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError
from leansort.core.process.silence import silence
from leansort.export.bundle_meta import describe_bundle
from leansort.export.export_failure import describe_failure

OPSET = 18


def export_onnx(model: TrainedModel, *, name: str = "", temperature: float = 1.0, reject_below: float = 0.0) -> Bundle:
    """Export a trained model.

    Args:
        model: what to export.
        name: for people; the backbone's name where empty.
        temperature: divides the logits before the softmax.
        reject_below: least probability of an accepted prediction.

    Returns:
        The bundle, not yet checked for parity (see `export.parity`).

    Raises:
        LeansortError: the exporter cannot follow the network, or has no operator for what it does; the layer is named.
    """
    network, meta = describe_bundle(model, name, temperature=temperature, reject_below=reject_below)
    return Bundle(
        meta, {"graph.onnx": _graph(InferenceModule(network, model.preprocess).eval(), model.preprocess.size)}
    )


def _graph(network: nn.Module, size: int) -> bytes:
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    shapes = ({0: torch.export.Dim("batch", min=1, max=4096)},)
    with torch.no_grad(), silence(errors=True):  # of its own deprecations, and of graphs that it could not finish
        try:
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=["image"],
                output_names=["logits"],
                dynamic_shapes=shapes,
                verbose=False,
            )
        except (RuntimeError, ValueError, TypeError, AssertionError, LookupError, AttributeError) as error:
            raise LeansortError(f"export: {describe_failure(network, example, shapes, error)}") from None
    return _serialized(program)


def _serialized(program: Any) -> bytes:
    proto = program.model_proto
    proto.doc_string = ""
    for node in proto.graph.node:  # stack traces of the exporting machine: large, and no robot's business
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        del value.metadata_props[:]
    del proto.metadata_props[:]
    del proto.graph.metadata_props[:]
    buffer = io.BytesIO()
    buffer.write(proto.SerializeToString(deterministic=True))
    return buffer.getvalue()
