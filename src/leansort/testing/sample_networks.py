"""Networks and pixels that contract suites try plugins on: small, drawn from fixed seeds, as good as trained."""

from __future__ import annotations

import numpy as np
import torch

from leansort.arch.build import build
from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.trained_model import TrainedModel
from leansort.core.bundle import Bundle
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.core.seeds import Seeds
from leansort.core.writing import atomic_io
from leansort.data.loading.crops import Crops
from leansort.export.formats import export_to_format

LABELS = LabelSet.of(["a", "b", "c", "d", "e", "f"])
_bundles: dict[str, Bundle] = {}


def model_of(spec: ArchSpec, size: int = 64, labels: LabelSet = LABELS) -> TrainedModel:
    """As trained: a classifier of zeros would make every comparison trivial, and so would equal batch norms."""
    network = build(spec, Seeds(3))
    with torch.no_grad():
        drawn = torch.Generator().manual_seed(1)
        for head in find_classifiers(network, spec.classes):
            head.weight.normal_(0.0, 0.1, generator=drawn)
        for module in network.modules():  # batch norms take on what they see, so that signals do not fade on the way
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.momentum = 1.0
                if module.affine:
                    module.weight.add_(torch.randn(module.weight.shape, generator=drawn), alpha=0.1)
                    module.bias.add_(torch.randn(module.bias.shape, generator=drawn), alpha=0.1)
        network.train()(2 * torch.rand(16, 3, size, size, generator=torch.Generator().manual_seed(2)) - 1)
    return TrainedModel(spec, network.state_dict(), Preprocess(size=size), labels)


def untrained_model_of(spec: ArchSpec, size: int, labels: LabelSet = LABELS) -> TrainedModel:
    """As drawn, its classifier alone is not zero: logits near one, so that engines can be compared to 1e-4."""
    network = build(spec, Seeds(1))
    with torch.no_grad():
        for head in find_classifiers(network, spec.classes):
            head.weight.normal_(0.0, 0.1, generator=torch.Generator().manual_seed(0))
    return TrainedModel(spec, network.state_dict(), Preprocess(size=size), labels)


def bundle_of(model: TrainedModel, graph_format: str = "onnx") -> Bundle:
    """The bundle of a model; tracing a network takes seconds, so it is done once."""
    weights = sum(float(value.double().abs().sum()) for value in model.weights.values())
    kind = [model.spec.to_json(), model.preprocess.size, list(model.labels.names), weights, graph_format]
    key = atomic_io.digest(kind)
    if key not in _bundles:
        _bundles[key] = export_to_format(model, graph_format)
    return _bundles[key]


def crops(count: int, seed: int, size: int = 64) -> Crops:
    """Noise, its six classes in turn."""
    rng = np.random.default_rng(seed)
    return Crops(rng.integers(0, 256, (count, size, size, 3)).astype(np.uint8), [at % 6 for at in range(count)])
