"""The mean of the weights of several trainings: often better than each of them, at the cost of one.

That works where all began with the same pretrained weights, from which none went so far that the way between two of
them leads over a hill (model soups, arXiv:2203.05482).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from leansort.arch.trained_model import TrainedModel

Score = Callable[[TrainedModel], float]


@dataclass(frozen=True)
class Soup:
    """What averaging came to.

    Attributes:
        model: the network with the mean weights; a single member's own where no mean was as good.
        members: places of the networks that are in it, in the order in which they were tried.
        alone: each network's own score, in the order given.
        tried: by place, what the mean scored with a network; the first one was not tried, it was there.
        score: of the model.
    """

    model: TrainedModel
    members: tuple[int, ...]
    alone: tuple[float, ...]
    tried: dict[int, float]
    score: float


def greedy_soup(models: Sequence[TrainedModel], finish: Callable[[TrainedModel], TrainedModel], score: Score) -> Soup:
    """Begin with the best network and take in each of the others, best first, that the mean is no worse with.

    Args:
        models: of one architecture, at least one.
        finish: what a mean needs before it is scored, such as batch-norm statistics of its own.
        score: higher is better.
    """
    alone = [score(model) for model in models]
    first, *others = sorted(range(len(models)), key=lambda place: -alone[place])
    members, best, reached, tried = [first], models[first], alone[first], dict[int, float]()
    for place in others:
        mean = finish(replace(models[first], weights=mean_weights([models[at] for at in (*members, place)])))
        tried[place] = score(mean)
        if tried[place] >= reached:
            members, best, reached = [*members, place], mean, tried[place]
    return Soup(best, tuple(members), tuple(alone), tried, reached)


def mean_weights(models: Sequence[TrainedModel]) -> dict[str, Tensor]:
    """Mean of each weight in single precision; what counts steps is the first network's."""
    return {name: _mean([model.weights[name] for model in models]) for name in models[0].weights}


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    first = tensors[0]
    if not first.is_floating_point():
        return first
    return torch.stack([item.float() for item in tensors]).mean(0).to(first.dtype)
