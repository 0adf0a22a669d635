"""Draw all weights anew: what a cut network learns by itself, the fair comparison (arXiv:1810.05270)."""

from __future__ import annotations

from leansort.arch.build import build
from leansort.arch.trained_model import TrainedModel
from leansort.compress.passes_api import PassContext, PassOutcome
from leansort.core.strict_model import StrictModel

STAGE = "model"
NOTE = "it knows nothing until a `finetune` or a later step trains it"


class Config(StrictModel):
    """No settings."""


def apply(model: TrainedModel, config: Config, context: PassContext) -> PassOutcome:
    """Draw them, from the step's seed."""
    weights = build(model.spec, context.seeds).state_dict()
    return PassOutcome(TrainedModel(model.spec, weights, model.preprocess, model.labels, model.provenance))
