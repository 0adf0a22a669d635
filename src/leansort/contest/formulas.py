"""The contest's scores, in both editions; lower is better. The baselines are parameters."""

from __future__ import annotations

import math

from pydantic import Field

from leansort.core.errors import UserError
from leansort.core.strict_model import StrictModel

MACS_CLIFF_F1 = 0.5  # below it macro-F1 counts for nothing in the MACs edition


class Baselines(StrictModel):
    """What the contest measured against.

    Attributes:
        time_f1: macro-F1 at which the sigmoid of the time edition is one half.
        time_s: seconds of the baseline in the time edition.
        macs_f1: macro-F1 of the baseline in the MACs edition.
        macs: multiply-adds of the baseline.
    """

    time_f1: float = 0.70
    time_s: float = Field(default=43.16, gt=0)
    macs_f1: float = Field(default=0.8342, gt=0)
    macs: int = Field(default=13_863_553, gt=0)


def time_score(f1: float, seconds: float, base: Baselines) -> float:
    """Score of the edition with time: `0.5 * time / base + sigmoid(20 * (0.70 - f1))`."""
    _check(f1, seconds, "seconds")
    return 0.5 * seconds / base.time_s + 1 / (1 + math.exp(min(700.0, -20 * (base.time_f1 - f1))))  # e^710 is no float


def macs_score(f1: float, macs: float, base: Baselines) -> float:
    """Score of the edition with MACs: `macs / base + f`, where `f` is 1 below an F1 of `MACS_CLIFF_F1`."""
    _check(f1, macs, "macs")
    gap = 1 - f1 / base.macs_f1
    accuracy = 1.0 if f1 < MACS_CLIFF_F1 else gap if f1 < base.macs_f1 else 0.5 * gap
    return macs / base.macs + accuracy


def _check(f1: float, cost: float, what: str) -> None:
    if not 0 <= f1 <= 1:
        raise UserError(f"contest score: got f1 {f1}, allowed: 0 to 1")
    if not (0 <= cost < math.inf):
        raise UserError(f"contest score: got {cost} {what}, allowed: 0 or more")
