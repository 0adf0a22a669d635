"""Train the network on, with the recipe's own data and augmentation."""

from __future__ import annotations

from pydantic import Field

from leansort.arch.trained_model import TrainedModel
from leansort.compress.compress_config import FinetuneConfig
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome


class FinetunePassConfig(FinetuneConfig):
    """As `finetune`, without a teacher unless one is named.

    Attributes:
        epochs: passes over the training crops.
        teachers: to learn from.
    """

    epochs: int = Field(default=10, ge=1, le=10_000)
    teachers: tuple[str, ...] = ()


class FinetunePass(CompressionPass[FinetunePassConfig, TrainedModel]):
    """Trains the network on."""

    Config = FinetunePassConfig
    stage = "model"

    def apply(self, model: TrainedModel, context: PassContext) -> PassOutcome:
        """Train; an interrupted training goes on where it stopped."""
        tuned = context.finetune(model, self.config, context.folder / "train")
        return PassOutcome(tuned, {"epoch": tuned.provenance.get("epoch")})
