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
        amount: share of the channels to remove, 0 to 1.
        scope: `local` takes the share from each set, `global` from all ranked together.
        round_to: what is left of a set that shrinks is a multiple of it, the nearest one that is not 0.
        largest: share of its channels that a set may lose.

    Returns:
        By a set's name the channels of it that go; sets that stay whole are left out.
    """
    able = [one for one in sets if one.name in scores]
    lost = _ranked_together(able, scores, amount, largest) if scope == "global" else None
    out = {}
    for one in able:
        wanted = one.units * (1.0 - amount) if lost is None else one.units - lost[one.name]
        least = one.units - _most(one, largest)
        gone = one.units - _left(one.units, wanted, round_to // math.gcd(one.groups, round_to), least)
        if gone:
            order = torch.argsort(scores[one.name], stable=True)
            out[one.name] = one.of_units(order[:gone].tolist())
    return out


def _ranked_together(
    sets: Sequence[ChannelGroup], scores: Mapping[str, Tensor], amount: float, largest: float
) -> Counter[str]:
    """Units that each set loses when the worst go, whichever set they are in."""
    width = {one.name: one.groups for one in sets}
    budget = amount * sum(one.channels for one in sets)
    worst = [(score, one.name) for one in sets for score in sorted(scores[one.name].tolist())[: _most(one, largest)]]
    lost: Counter[str] = Counter()
    for _, name in sorted(worst):
        budget -= width[name]
        if budget < 0:
            break
        lost[name] += 1
    return lost


def _most(one: ChannelGroup, largest: float) -> int:
    return int(one.units * largest + 1e-9)


def _left(units: int, wanted: float, step: int, least: int) -> int:
    """The multiple of `step` nearest to `wanted`, at least `least`; or all units, where that is nearer."""
    options = [count for count in range(step, units, step) if count >= least]
    return min([*options, units], key=lambda count: (abs(count - wanted), count))
