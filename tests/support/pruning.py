"""Pruning by an amount, where the command line prunes to a target."""

from __future__ import annotations

from leansort.arch.trained_model import TrainedModel
from leansort.compress.pruning.channel_pruning import ChannelPruner
from leansort.compress.pruning.channel_selection import Scope
from leansort.compress.pruning.importance import Gradients, Importance
from leansort.core.seeds import Seeds


def prune_channels(
    model: TrainedModel,
    *,
    amount: float,
    importance: Importance,
    scope: Scope,
    round_to: int,
    gradients: Gradients | None,
    seeds: Seeds,
    largest: float = 0.9,
) -> TrainedModel:
    """Remove about `amount` of the channels of a model."""
    return ChannelPruner(model, importance, gradients, seeds).prune(amount, scope, round_to, largest)
