"""Which channels to remove, given what each is worth: every width by itself, or the worst of the whole network."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from leansort.compress.pruning.channel_groups import ChannelGroup

Scope = Literal["local", "global"]


def select_channels(
    sets: Sequence[ChannelGroup],
    scores: Mapping[str, Tensor],
    amount: float,
    scope: Scope,
    round_to: int,
    largest: float,
) -> dict[str, set[int]]:
    """Choose the channels that go.

    Args:
        sets: of coupled channels.
        scores: one a unit of each set that may shrink, by its name.
        amount: fraction of the channels to remove, 0 to 1.
        scope: `local` takes the fraction from each set, `global` from all ranked together.
        round_to: what is left of a set that shrinks is a multiple of it, the nearest one that is not 0.
        largest: fraction of its channels that a set may lose.

    Returns:
        By a set's name the channels of it that go; sets that stay whole are left out.
    """
    able = [entry for entry in sets if entry.name in scores]
    lost = _ranked_together(able, scores, amount, largest) if scope == "global" else None
    out = {}
    for item in able:
        wanted = item.units * (1.0 - amount) if lost is None else item.units - lost[item.name]
        least = item.units - _most(item, largest)
        gone = item.units - _left(item.units, wanted, round_to // math.gcd(item.groups, round_to), least)
        if gone:
            order = torch.argsort(scores[item.name], stable=True)
            out[item.name] = item.of_units(order[:gone].tolist())
    return out


def _ranked_together(
    sets: Sequence[ChannelGroup], scores: Mapping[str, Tensor], amount: float, largest: float
) -> Counter[str]:
    """Units that each set loses when the worst go, whichever set they are in."""
    width = {item.name: item.groups for item in sets}
    budget = amount * sum(item.channels for item in sets)
    worst = [
        (score, item.name) for item in sets for score in sorted(scores[item.name].tolist())[: _most(item, largest)]
    ]
    lost: Counter[str] = Counter()
    for _, name in sorted(worst):
        budget -= width[name]
        if budget < 0:
            break
        lost[name] += 1
    return lost


def _most(channel_group: ChannelGroup, largest: float) -> int:
    return int(channel_group.units * largest + 1e-9)


def _left(units: int, wanted: float, step: int, least: int) -> int:
    """The multiple of `step` nearest to `wanted`, at least `least`; or all units, where that is nearer."""
    options = [count for count in range(step, units, step) if count >= least]
    return min([*options, units], key=lambda count: (abs(count - wanted), count))
