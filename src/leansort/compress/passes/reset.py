"""Draw all weights anew: what a cut network learns by itself, the fair comparison (arXiv:1810.05270)."""

from __future__ import annotations

from leansort.arch.build import build
from leansort.arch.trained_model import TrainedModel
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome
from leansort.core.strict_model import StrictModel


class ResetConfig(StrictModel):
    """No settings."""


class ResetPass(CompressionPass[ResetConfig, TrainedModel]):
    """Draws all weights anew."""

    Config = ResetConfig
    stage = "model"
    note = "it knows nothing until a `finetune` or a later step trains it"

    def apply(self, model: TrainedModel, context: PassContext) -> PassOutcome:
        """Draw them, from the step's seed."""
        weights = build(model.spec, context.seeds).state_dict()
        return PassOutcome(TrainedModel(model.spec, weights, model.preprocess, model.labels, model.provenance))
