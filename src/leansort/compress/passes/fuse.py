"""Fold batch norms into the convolutions before them; the network then learns on without them."""

from __future__ import annotations

from leansort.arch.spec.batch_norm_folding import fold_batch_norms
from leansort.arch.spec.spec import FuseBatchNorm
from leansort.arch.trained_model import TrainedModel
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome
from leansort.core.strict_model import StrictModel


class FuseConfig(StrictModel):
    """No settings."""


class FusePass(CompressionPass[FuseConfig, TrainedModel]):
    """Folds batch norms."""

    Config = FuseConfig
    stage = "model"
    note = "every export folds batch norms anyway, so the bundle is no faster"

    def apply(self, model: TrainedModel, context: PassContext) -> PassOutcome:
        """Fold them.

        Raises:
            UserError: the network cannot be traced.
        """
        if any(isinstance(edit, FuseBatchNorm) for edit in model.spec.edits):
            return PassOutcome(model, left_alone="the batch norms are folded already")
        network, spec = fold_batch_norms(model.network(), model.spec)
        return PassOutcome(TrainedModel(spec, network.state_dict(), model.preprocess, model.labels, model.provenance))
