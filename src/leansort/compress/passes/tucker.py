"""Split convolutions into 1x1, k x k, 1x1 (Tucker-2, arXiv:1511.06530), and 1x1 ones and linear layers in two (SVD)."""

from __future__ import annotations

from leansort.arch.trained_model import TrainedModel
from leansort.compress.low_rank import layer_selection
from leansort.compress.low_rank.layer_selection import FactorizeConfig, weaker
from leansort.compress.passes_api import PassContext, PassOutcome

__all__ = ["FASTER", "STAGE", "Config", "apply", "weaker"]

STAGE = "model"
FASTER = True
Config = FactorizeConfig


def apply(model: TrainedModel, config: FactorizeConfig, context: PassContext) -> PassOutcome:
    """Split the layers that get faster by it; see `FactorizeConfig`."""
    return layer_selection.apply(model, config, context, "tucker")
