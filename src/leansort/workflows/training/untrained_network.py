"""Untrained networks whose outputs show a difference: what their exports are compared on before they are trained."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from leansort.arch.build import BuiltNetwork, build
from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel, compute_logits
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.data.loading.loader import eval_batches
from leansort.export import parity
from leansort.runtime.engine import Pixels

CLASSES = LabelSet(("a", "b"))
_PICTURES = 3  # and not the number that graphs are traced with
_BATCH = 4
_MOMENTA = (1.0, 0.9, 0.7, 0.5)
_ROUNDING = 1e-4  # of a probability, a tenth of what an export may be off


def draw_untrained_network(spec: ArchSpec, preprocess: Preprocess, built: BuiltNetwork | None = None) -> TrainedModel:
    """Draw a network as if trained for a few steps, and as far from linear as single precision can still follow.

    Args:
        spec: the network; it gets two classes unless it is built already.
        preprocess: of its pictures.
        built: that network, where it is at hand; copies of it are changed. None builds one.

    Raises:
        UserError: there is no such network.
    """
    if built is None:
        spec = spec.model_copy(update={"classes": len(CLASSES)})
        built = BuiltNetwork(spec, build(spec, Seeds(0)))
    labels = LabelSet(tuple(f"class {number}" for number in range(built.spec.classes)))
    for momentum in _MOMENTA:
        weights = _weights(built, preprocess, momentum)
        model = TrainedModel(built.spec, weights, preprocess, labels, built=built)
        if parity.rounding(model, noise(preprocess.size)) <= _ROUNDING:
            break
    return model


def _weights(built: BuiltNetwork, preprocess: Preprocess, momentum: float) -> dict[str, Tensor]:
    """Weights with noise where they are drawn alike: zeros hide whole branches, and the classifier's all outputs.

    Args:
        built: the network, which is left as it is.
        preprocess: of its pictures.
        momentum: of the one batch that its batch norms see. With 1 every signal keeps its size, and very deep networks
            magnify rounding; with less signals fade.
    """
    network, size = built.copy(), preprocess.size
    generator = torch.Generator().manual_seed(Seeds(0).child("proving").value)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # of dropout
        for weights in network.parameters():
            if weights.numel() and bool((weights == weights.flatten()[0]).all()):
                weights.add_(torch.randn(weights.shape, generator=generator), alpha=0.1)
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.momentum = momentum
        network.train()(torch.randn(_BATCH, 3, size, size, generator=generator))
    _spread(network.eval(), built.spec, preprocess)
    return network.state_dict()


def _spread(network: nn.Module, spec: ArchSpec, preprocess: Preprocess) -> None:
    """Give the logits the size of 1, in place: probabilities that are all 0 and 1 would hide a difference."""
    heads = find_classifiers(network, spec.classes)
    for head in heads:
        if head.bias is not None:
            nn.init.zeros_(head.bias)
    size = float(compute_logits(network, preprocess, eval_batches(noise(preprocess.size), _PICTURES)).std())
    for head in heads:
        head.weight.data.div_(max(size, 1e-6))


def noise(size: int) -> Pixels:
    """Pictures, uint8 (3, size, size, 3)."""
    rng = Seeds(0).child("proving/pixels").numpy()
    return rng.integers(0, 256, (_PICTURES, size, size, 3)).astype(np.uint8)
