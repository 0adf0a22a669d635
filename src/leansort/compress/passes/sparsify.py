"""Zero the smallest weights (arXiv:1506.02626): the file compresses better, and nothing else."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from leansort.arch.trained_model import TrainedModel
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome
from leansort.compress.pruning.unstructured import compressed_bytes, zero_smallest_weights
from leansort.core.strict_model import StrictModel


class SparsifyConfig(StrictModel):
    """How many weights go.

    Attributes:
        amount: fraction of the weights of convolutions and linear layers, the classifier aside.
        scope: whether they compete within their layer (`local`) or across the network (`global`).
    """

    amount: float = Field(default=0.5, ge=0.0, lt=1.0)
    scope: Literal["local", "global"] = "global"


class SparsifyPass(CompressionPass[SparsifyConfig, TrainedModel]):
    """Zeroes the smallest weights."""

    Config = SparsifyConfig
    stage = "model"
    note = "zeros bring no speed: no engine here skips them; only the compressed file is smaller"
    lost_by_training = True

    def weaker(self, fraction: float) -> SparsifyPass:
        """Zero fewer."""
        return self.changed(amount=fraction * self.config.amount)

    def apply(self, model: TrainedModel, context: PassContext) -> PassOutcome:
        """Zero them."""
        sparse, zeros = zero_smallest_weights(model, self.config.amount, self.config.scope)
        notes = {"zeros": zeros, "compressed_bytes": compressed_bytes(sparse), "before": compressed_bytes(model)}
        return PassOutcome(sparse, notes)
