"""An average of weights and batch-norm statistics, which generalizes better than the last step's.

A moving average at first; from a given step on, where one is given, the equal mean of the weights after every step
(stochastic weight averaging, arXiv:1803.05407). Both are one rule, the average moves by a fraction of its distance to
the weights, and the fraction follows from the step alone: a resumed run needs nothing but the average itself.

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
        decay: fraction of the average kept at each step, reached gradually so that early noise is forgotten: after n
            steps no more than n / (n + 9) is kept, so a short training averages its last tenth whatever the decay.
        equal_from: first step of the equal mean, counted from 0; None: there is none.
    """

    def __init__(self, model: nn.Module, decay: float, equal_from: int | None = None) -> None:
        self.average = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay, self.equal_from = decay, equal_from

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move the average towards the model; `step` counts from 0."""
        weight = self._weight(step)
        pairs = list(zip(self.average.state_dict().values(), model.state_dict().values(), strict=True))
        floats = [(a, b) for a, b in pairs if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], weight)
        for a, b in pairs:
            if not a.is_floating_point():
                a.copy_(b)

    def _weight(self, step: int) -> float:
        """What the weights of a step count for in the average."""
        if self.equal_from is not None and step >= self.equal_from:
            return 1.0 / (1 + step - self.equal_from)
        return 1.0 - min(self.decay, (1 + step) / (10 + step))
