"""Early stopping for several objectives: a trial ends at a rung where the Pareto front there beats it for good.

Successive halving (Jamieson and Talwalkar 2016; asynchronous: Li et al., arXiv:1810.05934) compares trials after a
fraction of the epochs, a rung, and goes on with the better ones. With several objectives there is no one order of
trials, and Optuna's pruners refuse such studies. What a network costs is known before it is trained, so here a trial
at a rung is a point of macro-F1 so far and costs. It ends where another that reached the rung costs no more in anything
and was better by a margin. The margin comes from what is seen: finished trials gained different amounts from that rung
to their end, and a lead is safe where it exceeds what two such gains differ by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev

from pydantic import Field

from leansort.core.strict_model import StrictModel


class HalvingConfig(StrictModel):
    """When a trial that is behind is stopped.

    Attributes:
        rungs: number of points before the last epoch where trials are compared; 0 trains all to the end.
        eta: an epoch of each rung is that of the next over this.
        margin: how many standard deviations of the difference of two gains a lead has to exceed.
        least: finished trials before any is stopped.
    """

    rungs: int = Field(default=2, ge=0, le=8)
    eta: float = Field(default=3.0, gt=1.0, le=100.0)
    margin: float = Field(default=1.0, ge=0.0, le=100.0)
    least: int = Field(default=4, ge=2, le=1000)

    def epochs(self, total: int) -> dict[int, int]:
        """The epoch, from 1, of each rung (0 is the first) of a training of `total` epochs."""
        wanted = {rung: round(total / self.eta ** (self.rungs - rung)) for rung in range(self.rungs)}
        return {rung: epoch for rung, epoch in wanted.items() if 1 <= epoch < total}


@dataclass(frozen=True)
class Curve:
    """What is known of another trial.

    Attributes:
        number: of the trial.
        costs: in the order of all trials; less is better.
        scores: macro-F1 by rung, the best epoch so far.
        final: macro-F1 of a training that went to its end; None where it did not.
    """

    number: int
    costs: tuple[float, ...]
    scores: Mapping[int, float]
    final: float | None = None


@dataclass(frozen=True)
class BeatenByFront:
    """Why a trial is stopped.

    Attributes:
        by: number of the trial that beats it.
        lead: by how much, in macro-F1.
        margin: which that exceeds.
    """

    by: int
    lead: float
    margin: float


def margin(curves: Sequence[Curve], rung: int, config: HalvingConfig) -> float | None:
    """What a lead at a rung has to exceed; None where too few trials have finished to tell.

    The gains of two trials, each with the standard deviation s, differ with that of s times the square root of 2.
    """
    gains = [curve.final - curve.scores[rung] for curve in curves if curve.final is not None and rung in curve.scores]
    return config.margin * 2**0.5 * stdev(gains) if len(gains) >= config.least else None


def is_beaten(
    score: float, costs: Sequence[float], rung: int, curves: Sequence[Curve], config: HalvingConfig
) -> BeatenByFront | None:
    """Whether a trial ends at a rung.

    Args:
        score: its macro-F1 there.
        costs: what it costs.
        rung: which.
        curves: the other trials.
        config: how sure to be.
    """
    needed = margin(curves, rung, config)
    if needed is None:
        return None
    leads = [
        BeatenByFront(curve.number, curve.scores[rung] - score, needed)
        for curve in curves
        if rung in curve.scores and all(a <= b for a, b in zip(curve.costs, costs, strict=True))
    ]
    best = max(leads, key=lambda lead: lead.lead, default=None)
    return best if best and best.lead > needed else None
