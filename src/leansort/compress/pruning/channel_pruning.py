"""Structured pruning: whole channels leave the network, which is then as dense as before and smaller on any device."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from leansort.arch import build
from leansort.arch.spec.batch_norm_folding import merge_branches
from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.trained_model import TrainedModel
from leansort.compress.pruning.channel_groups import ChannelGroup, Unprunable, find_channel_groups
from leansort.compress.pruning.channel_selection import Scope, select_channels
from leansort.compress.pruning.importance import Gradients, Importance, score_channels, take_gradients
from leansort.compress.pruning.surgery import remove_channels
from leansort.core.errors import UserError
from leansort.core.seeds import Seeds

_EVALUATIONS = 8


def prune_to_target(
    model: TrainedModel,
    *,
    target: Callable[[TrainedModel], float],
    fraction: float,
    importance: Importance,
    scope: Scope,
    round_to: int,
    gradients: Gradients | None,
    seeds: Seeds,
    largest: float = 0.9,
) -> tuple[TrainedModel, float]:
    """Remove as few channels as bring `target` down to a fraction of what it is; at most 8 sizes are tried.

    Args:
        model: not changed.
        target: what must shrink: multiply-adds, parameters, a measured latency.
        fraction: of `target(model)` that may be left.
        importance: what decides which channels go.
        scope: see `ChannelPruner.prune`, as for `round_to` and `largest`.
        round_to: see there.
        gradients: leaves the gradients of the loss in `.grad` of a copy of the network; for `taylor`. Called once.
        seeds: of the importance `random`.
        largest: see there.

    Returns:
        The model and the amount removed. Where no amount reaches the fraction, because of `round_to` and `largest`,
        the model that all is cut from that may be: `target` of it says how far that went.

    Raises:
        UserError: the network cannot be pruned, or not by this importance.
        ValueError: a number is out of range, or `taylor` is without gradients.
    """
    whole = target(model)
    wanted = fraction * whole
    pruner = ChannelPruner(model, importance, gradients, seeds)
    if whole <= wanted:
        return model, 0.0
    least, most = 0.0, 1.0
    best = pruner.prune(most, scope, round_to, largest)
    if target(best) > wanted:
        return best, most
    for _ in range(_EVALUATIONS - 1):
        amount = (least + most) / 2
        tried = pruner.prune(amount, scope, round_to, largest)
        if target(tried) <= wanted:
            best, most = tried, amount
        else:
            least = amount
    return best, most


def count_macs(model: TrainedModel) -> float:
    """Multiply-adds for one picture of the model's own size, of what is deployed of it."""
    return float(build.macs(merge_branches(model.network()), model.preprocess.size))


def count_parameters(model: TrainedModel) -> float:
    """Number of weights of what is deployed of the model."""
    return float(build.parameters(merge_branches(model.network())))


class ChannelPruner:
    """One model with its channels' dependencies and scores, from which it is pruned to any amount.

    Args:
        model: not changed.
        importance: what decides which channels go.
        gradients: leaves the gradients of the loss in `.grad` of a copy of the network; for `taylor`.
        seeds: of the importance `random`.

    Raises:
        UserError: the network cannot be pruned, or not by this importance.
        ValueError: `taylor` is without gradients.
    """

    def __init__(self, model: TrainedModel, importance: Importance, gradients: Gradients | None, seeds: Seeds) -> None:
        self.model, self.network = model, model.network()
        if importance == "taylor":
            if gradients is None:
                raise ValueError("importance taylor needs gradients")
            seen = model.network()
            gradients(seen)
            take_gradients(seen, self.network)
        kept = find_classifiers(self.network, model.spec.classes)
        try:
            self.sets = find_channel_groups(self.network, kept, model.preprocess.size)
        except Unprunable as error:
            raise self._refused(error) from None
        self.scores = score_channels(self.network, self.sets, importance, seeds)

    def prune(self, amount: float, scope: Scope, round_to: int, largest: float) -> TrainedModel:
        """Remove about `amount` of the channels; what depends on them shrinks with them (arXiv:2301.12900).

        Where that goes wrong, it is tried once more without the groups that go wrong alone.

        Args:
            amount: fraction of the channels, 0 to 1. Rounding makes it approximate, and so do widths that cannot
                shrink.
            scope: `local` takes the fraction from each width, `global` from all ranked together.
            round_to: what is left of a width that shrinks is a multiple of it; widths below it stay.
            largest: fraction of its channels that a width may lose in `global`, 0 to 1.

        Returns:
            The smaller model; the classes stay. It computes what the given one does when nothing reads the channels.

        Raises:
            UserError: the network cannot be pruned.
            ValueError: a number is out of range.
        """
        if not (0.0 <= amount <= 1.0 and 0.0 <= largest <= 1.0 and round_to >= 1):
            raise ValueError(f"need amount and largest in 0..1, round_to >= 1, got {amount}, {largest}, {round_to}")
        try:
            return self._cut(select_channels(self.sets, self.scores, amount, scope, round_to, largest))
        except Unprunable as error:
            self.sets = [item for item in self.sets if self._sound(item)]
            if not self.sets:
                raise self._refused(error) from None
        try:
            return self._cut(select_channels(self.sets, self.scores, amount, scope, round_to, largest))
        except Unprunable as error:
            raise self._refused(error) from None

    def _cut(self, gone: Mapping[str, set[int]]) -> TrainedModel:
        return remove_channels(self.model, self.network, self.sets, gone)

    def _sound(self, channel_group: ChannelGroup) -> bool:
        """Whether a set of channels can shrink alone."""
        try:
            self._cut({channel_group.name: channel_group.of_units(range(channel_group.units // 2))})
        except Unprunable:
            return False
        return True

    def _refused(self, error: Unprunable) -> UserError:
        return UserError(f"{self.model.spec.base} cannot be pruned: {error}")
