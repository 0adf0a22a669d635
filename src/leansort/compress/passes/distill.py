"""Train the network on with the one that the pipeline began with as its teacher (arXiv:1503.02531)."""

from __future__ import annotations

from pydantic import Field

from leansort.arch.trained_model import TrainedModel
from leansort.compress.compress_config import START, FinetuneConfig
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome


class DistillPassConfig(FinetuneConfig):
    """As `finetune`.

    Attributes:
        epochs: passes over the training crops.
        teachers: to learn from; `start` is the network that the pipeline began with, `recipe` the recipe's teachers.
    """

    epochs: int = Field(default=10, ge=1, le=10_000)
    teachers: tuple[str, ...] = (START,)


class DistillPass(CompressionPass[DistillPassConfig, TrainedModel]):
    """Trains the network on with a teacher."""

    Config = DistillPassConfig
    stage = "model"

    def apply(self, model: TrainedModel, context: PassContext) -> PassOutcome:
        """Train; an interrupted training goes on where it stopped."""
        tuned = context.finetune(model, self.config, context.folder / "train")
        return PassOutcome(tuned, {"epoch": tuned.provenance.get("epoch"), "teachers": list(self.config.teachers)})
