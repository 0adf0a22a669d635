"""Split convolutions into 1x1, k x k, 1x1 (Tucker-2, arXiv:1511.06530), and 1x1 ones and linear layers in two (SVD)."""

from __future__ import annotations

from leansort.arch.trained import TrainedModel
from leansort.compress import factorizing
from leansort.compress.factorizing import FactorizeConfig, weaker
from leansort.compress.protocol import Context, Outcome

__all__ = ["FASTER", "STAGE", "Config", "apply", "weaker"]

STAGE = "model"
FASTER = True
Config = FactorizeConfig


def apply(model: TrainedModel, config: FactorizeConfig, context: Context) -> Outcome:
    """Split the layers that get faster by it; see `FactorizeConfig`."""
    return factorizing.apply(model, config, context, "tucker")
