"""Where a graph begins to differ from the network that it was exported from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.trained_model import TrainedModel, load_bytes, normalize
from leansort.core.bundle import Bundle
from leansort.data.loading.loader import eval_batches
from leansort.runtime import openvino_graph
from leansort.runtime.engine import Pixels
from leansort.runtime.layer_outputs import Floats, layer_outputs

MOST = 1e-3  # largest difference over the largest output; float32 in another order stays far below
Outputs = list[tuple[str, Floats]]


def find_first_mismatch(model: TrainedModel, bundle: Bundle, pixels: Pixels) -> str:
    """Say which layer is the first whose output differs.

    Args:
        model: the reference, run by PyTorch.
        bundle: what was exported from it.
        pixels: a few images, uint8 (n, size, size, 3).

    Returns:
        A sentence; empty where the layers of both cannot be put side by side.
    """
    ours, text = _network_outputs(model, pixels), _bundle_outputs(bundle, pixels)
    if len(text) != len(ours):
        return ""
    for number, ((name, mine), theirs) in enumerate(zip(ours, text, strict=True), 1):
        if _differs(mine, theirs):
            before = "; nothing but the normalization of the pixels comes before it" if number == 1 else ""
            return f"the first layer that differs is {name!r}, number {number} of {len(ours)}{before}"
    return "no layer differs, what comes after the last one does"


def _bundle_outputs(bundle: Bundle, pixels: Pixels) -> list[Floats]:
    if bundle.format not in ("onnx", "openvino", "torch"):
        return []  # a cascade's is none of one graph, and what such a format makes of a layer has its activation in it
    if bundle.format == "torch":
        inside = load_bytes(bundle.graph, bundle.meta.name)
        return [
            network_output
            for _, network_output in _network_outputs(replace(inside, preprocess=bundle.meta.preprocess), pixels)
        ]
    _, run = layer_outputs(bundle.graph) if bundle.format == "onnx" else openvino_graph.layer_outputs(bundle)
    return run(pixels)


def _differs(mine: Floats, theirs: Floats) -> bool:
    if mine.shape != theirs.shape:
        return True
    return not np.abs(mine - theirs).max() <= MOST * max(1e-6, float(np.abs(mine).max()))  # NaN differs too


def _network_outputs(model: TrainedModel, pixels: Pixels) -> Outputs:
    """Outputs of convolutions and linear layers, batch norms folded as in the graph, in the order they run."""
    network, _ = fold_batch_norms(model.network(), model.spec)
    outputs: Outputs = []

    def noted(name: str) -> Any:
        def note(layer: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
            outputs.append((name, out.numpy().copy()))  # activations behind it write into it

        return note

    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(noted(name))
    with torch.inference_mode():
        for x_bchw in eval_batches(pixels, len(pixels)):
            network(normalize(x_bchw, model.preprocess))
    return outputs
