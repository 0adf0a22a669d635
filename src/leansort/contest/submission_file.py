"""The contest's submission file: read and checked, or laid out to be written."""

from __future__ import annotations

from typing import Any

from leansort.core.errors import UserError

MOST = 1e300  # of seconds and MACs that a file may state: larger whole numbers are no floats


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
        text, seconds, macs = tree["inference"], tree["time"]["runtime"]["all"], tree["macs"]
    except (KeyError, TypeError) as error:
        raise UserError(f"submission: {where} lacks {error}; it needs inference, time.runtime.all and macs") from None
    numbers = all(isinstance(n, (int, float)) and not isinstance(n, bool) and 0 <= n < MOST for n in (seconds, macs))
    if not numbers or not isinstance(text, dict) or not all(isinstance(label, str) for label in text.values()):
        raise UserError(f"submission: {where} needs class names by file name and finite numbers for time and macs")
    return text, float(seconds), float(macs)


def build_submission(
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
