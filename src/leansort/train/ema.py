"""A moving average of weights and batch-norm statistics, which generalizes better than the last step's.

Neither library's average gives the same numbers, so seeded results would change: `torch.optim.swa_utils.AveragedModel`
begins with a copy of the weights after the first step, where this one moves nine tenths of the way to them; the warm-up
of timm's `ModelEmaV3` follows another curve.
"""

from __future__ import annotations

import copy

import torch
from torch import nn


class WeightAverage:
    """Keeps `average`, a copy of the model that follows it.

    Args:
        model: what to follow; never changed here.
        decay: fraction of the average kept at each step, reached gradually so that early noise is forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.average = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move the average towards the model; `step` counts from 0."""
        weight = 1.0 - min(self.decay, (1 + step) / (10 + step))
        pairs = list(zip(self.average.state_dict().values(), model.state_dict().values(), strict=True))
        floats = [(a, b) for a, b in pairs if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], weight)
        for a, b in pairs:
            if not a.is_floating_point():
                a.copy_(b)
