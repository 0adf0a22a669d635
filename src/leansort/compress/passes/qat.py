"""Quantization-aware training: the network learns on while int8 is imitated (arXiv:1712.05877).

Its weights stay float; `quantize` behind it then loses less.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from leansort.arch.trained import TrainedModel
from leansort.compress.config import START, HealConfig
from leansort.compress.fake_int8 import plain, prepared
from leansort.compress.passes import fuse
from leansort.compress.protocol import Context, Outcome

STAGE = "model"
NOTE = "the network is float still; quantize makes the graph int8"


class Config(HealConfig):
    """As `heal`.

    Attributes:
        epochs: passes over the training crops.
        teachers: to learn from; `start` is the network that the pipeline began with.
    """

    epochs: int = Field(default=10, ge=1, le=10_000)
    teachers: tuple[str, ...] = (START,)


def apply(model: TrainedModel, config: Config, context: Context) -> Outcome:
    """Fold batch norms and train; an interrupted training goes on where it stopped."""
    folded = fuse.apply(model, fuse.Config(), context).artifact
    assert isinstance(folded, TrainedModel)
    tuned = context.finetune(folded, config, context.folder / "train", prepared)
    return Outcome(replace(tuned, weights=plain(tuned.weights)), {"epoch": tuned.provenance.get("epoch")})
