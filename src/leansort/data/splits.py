"""Splits by hash of the group: crops of one photo stay together, and added photos move nobody else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from leansort.core.errors import UserError

RATIOS = {"train": 0.7, "val": 0.15, "test": 0.15}


def split_of(group: str, seed: int, ratios: Mapping[str, float] = RATIOS) -> str:
    """Return the split of a group: a function of the group's name and the seed alone.

    Raises:
        UserError: the ratios do not add up to 1.
    """
    if abs(sum(ratios.values()) - 1.0) > 1e-6 or min(ratios.values()) < 0:
        raise UserError(f"split ratios: got {dict(ratios)}, they must be positive and add up to 1")
    digest = hashlib.blake2b(f"{seed}:{group}".encode(), digest_size=8).digest()
    point, reached = int.from_bytes(digest, "big") / 2**64, 0.0
    for name, share in ratios.items():
        reached += share
        if point < reached:
            return name
    return list(ratios)[-1]
