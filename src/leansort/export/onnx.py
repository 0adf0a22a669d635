"""From a TrainedModel to a bundle with an ONNX graph: uint8 NHWC RGB in, normalization inside, logits out."""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any, cast

import torch
from torch import Tensor, nn

from leansort.arch.build import macs, parameters
from leansort.arch.fusing import fused
from leansort.arch.trained import TrainedModel, normalized
from leansort.core.bundle import Bundle, BundleMeta
from leansort.core.preprocess import Preprocess

OPSET = 18


class _Deployed(nn.Module):
    """The network with its normalization, on pixels as a camera gives them."""

    def __init__(self, network: nn.Module, preprocess: Preprocess) -> None:
        super().__init__()
        self.network = network
        self.preprocess = preprocess

    def forward(self, x_bhwc: Tensor) -> Tensor:
        return cast(Tensor, self.network(normalized(x_bhwc.permute(0, 3, 1, 2), self.preprocess)))


def to_bundle(model: TrainedModel, *, name: str = "", temperature: float = 1.0, reject_below: float = 0.0) -> Bundle:
    """Export a trained model.

    Args:
        model: what to export.
        name: for people; the backbone's name where empty.
        temperature: divides the logits before the softmax.
        reject_below: least probability of an accepted prediction.

    Returns:
        The bundle, not yet checked for parity (see `export.parity`).
    """
    network, spec = fused(model.network(), model.spec)
    meta = BundleMeta(
        name=name or spec.base,
        preprocess=model.preprocess,
        labels=model.labels.names,
        labels_digest=model.labels.digest,
        temperature=temperature,
        reject_below=reject_below,
        parameters=parameters(network),
        macs=macs(network, model.preprocess.size),
        provenance={**model.provenance, "spec": spec.to_json()},
    )
    return Bundle(meta, {"graph.onnx": _graph(_Deployed(network, model.preprocess).eval(), model.preprocess.size)})


def _graph(network: nn.Module, size: int) -> bytes:
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecations, which no user can mend
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},),
            verbose=False,
        )
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
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
