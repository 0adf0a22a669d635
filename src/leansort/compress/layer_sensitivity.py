"""What each layer costs, and what the val scores say when it alone is pruned, cut in rank or made int8."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from leansort.arch.build import parameters
from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.spec.spec import Factorized
from leansort.arch.trained_model import TrainedModel, compute_logits, normalize
from leansort.compress.low_rank.decomposition import factorize_layer, method_for
from leansort.compress.low_rank.layer_selection import Layer, list_layers
from leansort.compress.passes_api import PassContext
from leansort.compress.quantization import fake_quantize
from leansort.core.preprocess import Preprocess
from leansort.data.loading.crops import Crops
from leansort.data.loading.loader import eval_batches
from leansort.measure.accuracy.metrics import macro_f1_present

CROPS = 256  # of val, and of train for the ranges of int8
BATCH = 64


@dataclass(frozen=True)
class LayerHarm:
    """What one change of one layer does on val.

    Attributes:
        loss: rise of the mean cross-entropy.
        f1: fall of macro-F1.
    """

    loss: float
    f1: float


@dataclass(frozen=True)
class LayerReport:
    """One convolution or linear layer, batch norms folded.

    Attributes:
        name: of the module.
        kind: such as `3x3`, `1x1`, `3x3 depthwise`, `linear`.
        shape: of its input, (c, h, w).
        parameters: weights.
        macs: multiply-adds.
        ms: measured on the pipeline's engine, alone; what a chain of no layers takes is taken off.
        prune: with the weaker half of its output channels zeroed.
        rank: at half its rank; None where it cannot be split.
        int8: with weights and input rounded to 8 bits.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    parameters: int
    macs: int
    ms: float
    prune: LayerHarm
    rank: LayerHarm | None
    int8: LayerHarm


def report_layers(model: TrainedModel, context: PassContext, advance: Callable[[int, int], None]) -> list[LayerReport]:
    """Report on every layer in the order they run.

    Args:
        model: the network; left as it is.
        context: crops and clock.
        advance: called with (layers done, layers).
    """
    network, _ = fold_batch_norms(model.network(), model.spec)
    judge = _Judge(network, model.preprocess, context.val, len(model.labels))
    layers = list(list_layers(network, model.preprocess.size))
    clock, reports = _Clock(context), []
    for number, (name, layer, shape) in enumerate(layers, 1):
        out = layer(torch.zeros(1, *shape).flatten(1) if isinstance(layer, nn.Linear) else torch.zeros(1, *shape))
        reports.append(
            LayerReport(
                name,
                _kind(layer),
                shape,
                parameters(layer),
                macs=layer.weight.numel() * (out[0, 0].numel() if out.ndim == 4 else 1),
                ms=clock.ms(layer, shape),
                prune=judge.of(name, _halved),
                rank=judge.of(name, _half_rank) if method_for(layer, "tucker") else None,
                int8=judge.int8(name, context.train),
            )
        )
        advance(number, len(layers))
    return reports


class _Judge:
    """Scores a network on val with one layer changed."""

    def __init__(self, network: nn.Module, preprocess: Preprocess, val: Crops, classes: int) -> None:
        self.network, self.preprocess, self.classes = network, preprocess, classes
        order = np.linspace(0, len(val.labels) - 1, min(CROPS, len(val.labels))).astype(
            int
        )  # all classes, whatever order
        self.pixels, self.labels = np.asarray(val.pixels)[order], np.asarray(val.labels)[order]
        self.loss, self.f1 = self._scores(network)

    def of(self, name: str, change: Callable[[Layer], nn.Module]) -> LayerHarm:
        """With one layer replaced for the moment."""
        layer = self.network.get_submodule(name)
        try:
            self.network.set_submodule(name, change(layer))  # type: ignore[arg-type]
            return self._harm(self.network)
        finally:
            self.network.set_submodule(name, layer)

    def int8(self, name: str, train: Crops) -> LayerHarm:
        """With one layer in imitated int8."""
        rounded = fake_quantize.insert_fake_quantize(deepcopy(self.network), [name])
        pixels = np.asarray(train.pixels[:: max(1, len(train.labels) // CROPS)])
        fake_quantize.calibrate_ranges(rounded, (normalize(x, self.preprocess) for x in eval_batches(pixels, BATCH)))
        return self._harm(rounded)

    def _harm(self, network: nn.Module) -> LayerHarm:
        loss, f1 = self._scores(network)
        return LayerHarm(loss - self.loss, self.f1 - f1)

    def _scores(self, network: nn.Module) -> tuple[float, float]:
        out_nc = compute_logits(network, self.preprocess, eval_batches(self.pixels, BATCH))
        loss = float(functional.cross_entropy(out_nc, torch.from_numpy(self.labels)))
        return loss, macro_f1_present(self.labels, out_nc.argmax(1).numpy(), self.classes)


class _Clock:
    """Times layers; equal ones once."""

    def __init__(self, context: PassContext) -> None:
        self.context, self.known = context, dict[str, float]()

    def ms(self, layer: Layer, shape: tuple[int, int, int]) -> float:
        key = f"{layer} {shape}"
        if key not in self.known:
            times = self.context.time_layers({"layer": [layer], "nothing": []}, shape)
            self.known[key] = max(0.0, 1e3 * float(np.median(times["layer"]) - np.median(times["nothing"])))
        return self.known[key]


def _halved(layer: Layer) -> nn.Module:
    """The half of the output channels with the smaller norms zeroed."""
    changed = deepcopy(layer)
    norms = changed.weight.detach().flatten(1).norm(dim=1)
    gone = norms.argsort()[: len(norms) // 2]
    with torch.no_grad():
        for tensor in (changed.weight, changed.bias):
            if isinstance(tensor, Tensor):
                tensor[gone] = 0
    return changed


def _half_rank(layer: Layer) -> nn.Module:
    """Split at half of the full ranks."""
    method = method_for(layer, "tucker")
    assert method is not None
    groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
    out, cin = layer.weight.shape[0] // groups, layer.weight.shape[1]
    ranks = (max(1, cin // 2), max(1, out // 2)) if method == "tucker" else (max(1, min(cin, out) // 2),)
    return factorize_layer(layer, Factorized(method=method, ranks=ranks))


def _kind(layer: Layer) -> str:
    if isinstance(layer, nn.Linear):
        return "linear"
    height, width = layer.kernel_size
    grouped = "" if layer.groups == 1 else " depthwise" if layer.groups == layer.in_channels else f" /{layer.groups}"
    return f"{height}x{width}{grouped}"
