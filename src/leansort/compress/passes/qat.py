"""Quantization-aware training: the network learns on while int8 is imitated (arXiv:1712.05877).

Its weights stay float; `quantize` behind it then loses less.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from pydantic import Field

from leansort.arch.trained_model import TrainedModel
from leansort.compress.compress_config import START, FinetuneConfig
from leansort.compress.passes.fuse import FuseConfig, FusePass
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome
from leansort.compress.quantization.fake_quantize import WeightBits, insert_fake_quantize, remove_fake_quantize

IMITATED = "imitated_weight_bits"  # in the provenance of a network that was trained for int8


class QatConfig(FinetuneConfig):
    """As `finetune`.

    Attributes:
        epochs: passes over the training crops.
        teachers: to learn from; `start` is the network that the pipeline began with.
        weight_bits: that are imitated; the `quantize` behind has to use as many, or what was learned is of no use.
    """

    epochs: int = Field(default=10, ge=1, le=10_000)
    teachers: tuple[str, ...] = (START,)
    weight_bits: WeightBits = 7


class QatPass(CompressionPass[QatConfig, TrainedModel]):
    """Trains the network on while int8 is imitated."""

    Config = QatConfig
    stage = "model"
    note = "the network is float still; quantize makes the graph int8"

    def apply(self, model: TrainedModel, context: PassContext) -> PassOutcome:
        """Fold batch norms and train; an interrupted training goes on where it stopped."""
        folded = FusePass(FuseConfig()).apply(model, context).artifact
        assert isinstance(folded, TrainedModel)
        imitate = partial(insert_fake_quantize, weight_bits=self.config.weight_bits)
        tuned = context.finetune(folded, self.config, context.folder / "train", imitate)
        provenance = {**tuned.provenance, IMITATED: self.config.weight_bits}
        learned = replace(tuned, weights=remove_fake_quantize(tuned.weights), provenance=provenance)
        return PassOutcome(learned, {"epoch": tuned.provenance.get("epoch")})
