"""Split convolutions into 1x1, k x 1, 1 x k, 1x1 (CP, arXiv:1412.6553), and 1x1 ones and linear layers in two (SVD)."""

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
    return factorizing.apply(model, config, context, "cp")
