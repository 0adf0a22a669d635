"""Train the network on with the one that the pipeline began with as its teacher (arXiv:1503.02531)."""

from __future__ import annotations

from pydantic import Field

from leansort.arch.trained_model import TrainedModel
from leansort.compress.compress_config import START, FinetuneConfig
from leansort.compress.passes_api import PassContext, PassOutcome

STAGE = "model"


class Config(FinetuneConfig):
    """As `finetune`.

    Attributes:
        epochs: passes over the training crops.
        teachers: to learn from; `start` is the network that the pipeline began with.
    """

    epochs: int = Field(default=10, ge=1, le=10_000)
    teachers: tuple[str, ...] = (START,)


def apply(model: TrainedModel, config: Config, context: PassContext) -> PassOutcome:
    """Train; an interrupted training goes on where it stopped."""
    tuned = context.finetune(model, config, context.folder / "train")
    return PassOutcome(tuned, {"epoch": tuned.provenance.get("epoch"), "teachers": list(config.teachers)})
