"""The network as a robot gets it: pixels in, normalization inside."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from leansort.arch.trained_model import normalize
from leansort.core.preprocess import Preprocess


class InferenceModule(nn.Module):
    """The network with its normalization, on pixels as a camera gives them.

    Args:
        network: takes float32 (b, 3, h, w), gives logits (b, classes).
        preprocess: whose mean and standard deviation are applied.
    """

    def __init__(self, network: nn.Module, preprocess: Preprocess) -> None:
        super().__init__()
        self.network = network
        self.preprocess = preprocess

    def forward(self, x_bhwc: Tensor) -> Tensor:
        """Map uint8 RGB (b, h, w, 3) to float32 logits (b, classes)."""
        return cast(Tensor, self.network(normalize(x_bhwc.permute(0, 3, 1, 2), self.preprocess)))
