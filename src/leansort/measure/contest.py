"""The contest's scores, in both editions; lower is better. The baselines are parameters."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from leansort.core.errors import UserError


class Baselines(BaseModel):
    """What the contest measured against.

    Attributes:
        time_f1: macro-F1 at which the sigmoid of the time edition is one half.
        time_s: seconds of the baseline in the time edition.
        macs_f1: macro-F1 of the baseline in the MACs edition.
        macs: multiply-adds of the baseline.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    time_f1: float = 0.70
    time_s: float = Field(default=43.16, gt=0)
    macs_f1: float = Field(default=0.8342, gt=0)
    macs: int = Field(default=13_863_553, gt=0)


MOST = 1e300  # of seconds and MACs that a file may state: larger whole numbers are no floats


def time_score(f1: float, seconds: float, base: Baselines) -> float:
    """Score of the edition with time: `0.5 * time / base + sigmoid(20 * (0.70 - f1))`."""
    _check(f1, seconds, "seconds")
    return 0.5 * seconds / base.time_s + 1 / (1 + math.exp(min(700.0, -20 * (base.time_f1 - f1))))  # e^710 is no float


def macs_score(f1: float, macs: float, base: Baselines) -> float:
    """Score of the edition with MACs: `macs / base + f`, where `f` is 1 below an F1 of 0.5."""
    _check(f1, macs, "macs")
    gap = 1 - f1 / base.macs_f1
    accuracy = 1.0 if f1 < 0.5 else gap if f1 < base.macs_f1 else 0.5 * gap
    return macs / base.macs + accuracy


def _check(f1: float, cost: float, what: str) -> None:
    if not 0 <= f1 <= 1:
        raise UserError(f"contest score: got f1 {f1}, allowed: 0 to 1")
    if not (0 <= cost < math.inf):
        raise UserError(f"contest score: got {cost} {what}, allowed: 0 or more")


def names(pictures: Sequence[Path]) -> list[str]:
    """What a submission file calls its pictures.

    That is the file name, as in the contest; where one is there twice, the path below the folder that all share.
    """
    short = [path.name for path in pictures]
    if len(set(short)) == len(short):
        return short
    whole = [path.absolute() for path in pictures]
    above = os.path.commonpath([path.parent for path in whole])
    return [path.relative_to(above).as_posix() for path in whole]


def read_submission(tree: Any, where: str) -> tuple[dict[str, str], float, float]:
    """Check a submission file's content.

    Args:
        tree: the parsed JSON.
        where: its path, for the error.

    Returns:
        Class names by image file name, seconds of the whole run, and MACs.

    Raises:
        UserError: a part is missing or of the wrong kind.
    """
    try:
        said, seconds, macs = tree["inference"], tree["time"]["runtime"]["all"], tree["macs"]
    except (KeyError, TypeError) as error:
        raise UserError(f"submission: {where} lacks {error}; it needs inference, time.runtime.all and macs") from None
    numbers = all(isinstance(n, (int, float)) and not isinstance(n, bool) and 0 <= n < MOST for n in (seconds, macs))
    if not numbers or not isinstance(said, dict) or not all(isinstance(label, str) for label in said.values()):
        raise UserError(f"submission: {where} needs class names by file name and finite numbers for time and macs")
    return said, float(seconds), float(macs)


def submission(
    labels: dict[str, str], seconds: dict[str, float], *, all_s: float, inference_s: float, macs: int
) -> dict[str, Any]:
    """Lay out the contest's submission file.

    Args:
        labels: class name by image file name.
        seconds: decode-to-label time by image file name.
        all_s: from the start of the process.
        inference_s: decoding and inference alone.
        macs: multiply-adds for one picture.

    Returns:
        The JSON object; no profiling pass is run, so its profile times are zero.
    """
    return {
        "inference": labels,
        "time": {
            "profile": {"cuda": 0.0, "cpu": 0.0},
            "runtime": {"all": all_s, "inference_only": inference_s},
            "inference": seconds,
        },
        "macs": macs,
    }
