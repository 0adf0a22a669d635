"""Drop whole residual blocks, those first that the loss misses least."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from torch.nn import functional

from leansort.arch.trained_model import TrainedModel
from leansort.compress.evaluation import artifact_logits
from leansort.compress.passes_api import CompressionPass, PassContext, PassOutcome
from leansort.compress.pruning.residual_block_removal import find_removable_blocks, remove_blocks
from leansort.core.strict_model import StrictModel
from leansort.data.loading.crops import Crops


class PruneLayersConfig(StrictModel):
    """How many blocks go.

    Attributes:
        blocks: number of residual blocks.
        crops: train crops that the loss is taken on.
    """

    blocks: int = Field(default=1, ge=0, le=1000)
    crops: int = Field(default=512, ge=1)


class PruneLayersPass(CompressionPass[PruneLayersConfig, TrainedModel]):
    """Removes residual blocks."""

    Config = PruneLayersConfig
    stage = "model"
    faster = True

    def weaker(self, fraction: float) -> PruneLayersPass:
        """Drop fewer."""
        return self.changed(blocks=int(fraction * self.config.blocks))

    def apply(self, model: TrainedModel, context: PassContext) -> PassOutcome:
        """Drop blocks one after another, each time the one without which the loss is lowest."""
        order = np.sort(context.seeds.numpy().permutation(len(context.train.labels))[: self.config.crops])
        crops = Crops(np.asarray(context.train.pixels)[order], np.asarray(context.train.labels)[order].tolist())
        now, gone = model, list[str]()
        for _ in range(self.config.blocks):
            candidates = {name: remove_blocks(now, [name]) for name in find_removable_blocks(now)}
            if not candidates:
                break
            name = min(candidates, key=lambda candidate: _loss(candidates[candidate], crops))
            now = candidates[name]
            gone.append(name)
        notes = {"removed": gone, "asked": self.config.blocks}
        return PassOutcome(now, notes) if gone else PassOutcome(model, notes, "there is no residual block to drop")


def _loss(model: TrainedModel, crops: Crops) -> float:
    """Mean cross-entropy."""
    out_nc = torch.from_numpy(artifact_logits(model, crops))
    return float(functional.cross_entropy(out_nc, torch.tensor(list(crops.labels))))
