"""What training makes small: the loss of a batch, for class indices or shared targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from leansort.data.loading.class_balance import class_weights
from leansort.train.train_config import TrainConfig


class TrainingLoss:
    """The loss that a recipe asks for.

    Args:
        config: `loss`, `label_smoothing`, `focal_gamma`, `logit_adjustment` and `class_weights`.
        counts: training crops of each class.
        device: of the batches.
    """

    def __init__(self, config: TrainConfig, counts: Sequence[int], device: torch.device) -> None:
        self.config, self.classes = config, len(counts)
        fraction = np.maximum(np.asarray(counts, np.float64), 1.0) / max(1, sum(counts))
        # Logit adjustment (arXiv:2007.07314): rare classes must win by the margin that their rarity would cost them.
        margin = config.logit_adjustment * np.log(fraction)
        self.margin_c = torch.tensor(margin, dtype=torch.float32, device=device)
        self.weights_c: Tensor | None = None
        if config.class_weights != "none":
            weights = class_weights(list(counts), config.class_weights)
            self.weights_c = torch.tensor(weights, dtype=torch.float32, device=device)

    def __call__(self, logits_bc: Tensor, target: Tensor) -> Tensor:
        """The mean loss of a batch.

        Weighted losses are divided by the crops, not by their weights: those have mean 1 over all crops, and so a
        batch counts the same whether it is taken whole, in parts (`accumulate`) or by several processes.

        Args:
            logits_bc: of the network.
            target: (b,) class indices, or (b, classes) fractions that sum to 1.
        """
        logits_bc = logits_bc.float() + self.margin_c if self.config.logit_adjustment else logits_bc.float()
        if self.config.loss == "cross_entropy":
            smoothing = self.config.label_smoothing
            return F.cross_entropy(
                logits_bc, target, weight=self.weights_c, label_smoothing=smoothing, reduction="none"
            ).mean()
        loss_b = _LOSSES[self.config.loss](logits_bc, self._shares(target), self.config)
        return (loss_b if self.weights_c is None else loss_b * self._weights(target, self.weights_c)).mean()

    def _shares(self, target: Tensor) -> Tensor:
        shares_bc = F.one_hot(target, self.classes).float() if target.ndim == 1 else target
        smoothing = self.config.label_smoothing
        return shares_bc * (1 - smoothing) + smoothing / self.classes

    def _weights(self, target: Tensor, weights_c: Tensor) -> Tensor:
        return weights_c[target] if target.ndim == 1 else target @ weights_c


def _focal(logits_bc: Tensor, shares_bc: Tensor, config: TrainConfig) -> Tensor:
    """Focal loss (arXiv:1708.02002): what is right already counts less."""
    log_bc = F.log_softmax(logits_bc, 1)
    wrong_bc = (1 - log_bc.exp()).clamp_min(1e-7)  # the power's slope at 0 is infinite where gamma is below 1
    return -(shares_bc * wrong_bc**config.focal_gamma * log_bc).sum(1)


def _bce(logits_bc: Tensor, shares_bc: Tensor, _: TrainConfig) -> Tensor:
    """Every class by itself, as in arXiv:2110.00476."""
    return F.binary_cross_entropy_with_logits(logits_bc, shares_bc, reduction="none").sum(1)


_LOSSES = {"focal": _focal, "bce": _bce}
