"""Draw all weights anew: what a cut network learns by itself, the fair comparison (arXiv:1810.05270)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from leansort.arch.build import build
from leansort.arch.trained_model import TrainedModel
from leansort.compress.passes_api import PassContext, PassOutcome

STAGE = "model"
NOTE = "it knows nothing until a `finetune` or a later step trains it"


class Config(BaseModel):
    """No settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def apply(model: TrainedModel, config: Config, context: PassContext) -> PassOutcome:
    """Draw them, from the step's seed."""
    weights = build(model.spec, context.seeds).state_dict()
    return PassOutcome(TrainedModel(model.spec, weights, model.preprocess, model.labels, model.provenance))
