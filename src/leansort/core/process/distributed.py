"""Which process this is, of those that torchrun has started."""

from __future__ import annotations

import os


def is_first_process() -> bool:
    """Whether this process is alone, or the first of several: the one that speaks and writes."""
    return os.environ.get("RANK", "0") == "0"


def is_distributed() -> bool:
    """Whether torchrun has started more than one."""
    return os.environ.get("WORLD_SIZE", "1") != "1"
