"""A bundle to be timed and thrown away: written by PyTorch's older exporter, which takes a fifth of a second.

What robots get is written by `export.onnx`, whose exporter takes seconds and will be kept up. The graphs run equally
fast (a benchmark compares them); whether they say the same is never asked of a sketch.
"""

from __future__ import annotations

import io
import warnings

import torch

from leansort.arch.inference_module import InferenceModule
from leansort.arch.trained_model import TrainedModel
from leansort.core.bundle import Bundle
from leansort.export.bundle_meta import describe_bundle
from leansort.export.onnx import OPSET


def export_for_timing(model: TrainedModel) -> Bundle:
    """An ONNX bundle of a network, for timing alone.

    Raises:
        Exception: of PyTorch's exporter, where it knows a layer not; take `export.formats` then.
    """
    network, meta = describe_bundle(model, "sketch", temperature=1.0, reject_below=0.0)
    size, buffer = model.preprocess.size, io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of its own age
        torch.onnx.export(
            InferenceModule(network, model.preprocess).eval(),
            (torch.zeros((2, size, size, 3), dtype=torch.uint8),),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
        )
    return Bundle(meta, {"graph.onnx": buffer.getvalue()})
