"""Fold batch norms into the convolutions before them; the network then learns on without them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from leansort.arch.archspec import FuseBatchNorm
from leansort.arch.fusing import fused
from leansort.arch.trained import TrainedModel
from leansort.compress.protocol import Context, Outcome

STAGE = "model"
NOTE = "every export folds batch norms anyway, so the bundle is no faster"


class Config(BaseModel):
    """No settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def apply(model: TrainedModel, config: Config, context: Context) -> Outcome:
    """Fold them.

    Raises:
        UserError: the network cannot be traced.
    """
    if any(isinstance(edit, FuseBatchNorm) for edit in model.spec.edits):
        return Outcome(model, left_alone="the batch norms are folded already")
    network, spec = fused(model.network(), model.spec)
    return Outcome(TrainedModel(spec, network.state_dict(), model.preprocess, model.labels, model.provenance))
