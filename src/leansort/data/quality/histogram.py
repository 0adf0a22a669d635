"""Histograms with readable bins, for tables and pages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

SIDES = (8, 16, 32, 64, 128, 256, 512, 1024)
ASPECTS = (0.25, 0.5, 0.8, 1.25, 2.0, 4.0)


def histogram(values: npt.NDArray[Any], edges: Sequence[float]) -> dict[str, int]:
    """Counts between edges; the first and last bin are open."""
    counts = np.bincount(np.searchsorted(np.asarray(edges), values, side="right"), minlength=len(edges) + 1)
    inner = (f"{low:g} – {high:g}" for low, high in pairwise(edges))
    names = [f"< {edges[0]:g}", *inner, f">= {edges[-1]:g}"]
    return dict(zip(names, counts.tolist(), strict=True))
