"""Cut off the end of a network: its last parts hold most of the weights, and few classes need few of them."""

from __future__ import annotations

from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor, nn

from leansort.arch.build import build
from leansort.arch.spec.spec import Truncate
from leansort.arch.trained_model import TrainedModel
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome
from leansort.core.strict_model import StrictModel


class TruncateConfig(StrictModel):
    """Where the network ends.

    Attributes:
        parts: that stay, counted from the input as `leansort arch show` lists them.
    """

    parts: int = Field(ge=1, le=1000)


class TruncatePass(CompressionPass[TruncateConfig, TrainedModel]):
    """Keeps the first parts of a network, with a pool and a classifier behind them (as NetCut does, arXiv:2101.05363).

    The classifier knows nothing yet, so `finetune` has to follow.
    """

    Config = TruncateConfig
    stage = "model"
    faster = True
    note = "its classifier begins at zero and has to be trained"

    def apply(self, model: TrainedModel, context: PassContext) -> PassOutcome:
        """Cut what comes behind `parts`; networks that are no chain of parts are left alone."""
        network, parts = model.network(), self.config.parts
        if not isinstance(network, nn.Sequential):
            return PassOutcome(model, left_alone=f"{model.spec.base} is no chain of parts that could end earlier")
        if parts >= len(network):
            return PassOutcome(model, left_alone=f"the network has {len(network)} parts, {parts} are to stay")
        shape = _shape_behind(network[:parts], model.preprocess.size)
        if len(shape) != 4:
            return PassOutcome(model, left_alone=f"the first {parts} parts put out no channels of pictures any more")
        notes = {"parts": parts, "of": len(network), "channels": shape[1]}
        return PassOutcome(_truncated(model, parts, shape[1]), notes)


def _shape_behind(parts: nn.Module, size: int) -> tuple[int, ...]:
    with torch.no_grad():
        out: Tensor = parts(torch.zeros(1, 3, size, size))
    return tuple(out.shape)


def _truncated(model: TrainedModel, parts: int, channels: int) -> TrainedModel:
    spec = model.spec.edited(Truncate(parts=parts, channels=channels, classes=model.spec.classes))
    weights = build(spec).state_dict()
    for key in weights:
        weights[key] = model.weights[key] if int(key.split(".")[0]) < parts else torch.zeros_like(weights[key])
    return replace(model, spec=spec, weights=weights)
