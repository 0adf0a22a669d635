"""Random numbers that belong to a crop, not to the batch it happens to be in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Key = tuple[int, int]  # (epoch, index)
Uniforms = npt.NDArray[np.float64]


def uniforms(seed: int, keys: Sequence[Key], count: int) -> Uniforms:
    """Draw uniform numbers for every crop of a batch.

    Philox (Salmon et al. 2011) turns a counter into numbers. Epoch and index are the counter's upper half, so that
    no two crops share a number, and moving to a crop costs a fifth of making a generator for it.

    Args:
        seed: of the whole training.
        keys: (epoch, index) of b crops.
        count: numbers a crop.

    Returns:
        (b, count) in [0, 1). A row depends on `seed` and its own key alone, and its start not on `count`.
    """
    philox = np.random.Philox(key=seed)
    generator, state = np.random.Generator(philox), philox.state
    drawn = np.empty((len(keys), count))
    for row, (epoch, index) in zip(drawn, keys, strict=True):
        state["state"]["counter"] = np.array([0, 0, index, epoch], np.uint64)
        philox.state = state
        generator.random(out=row)
    return drawn
