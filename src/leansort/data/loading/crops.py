"""Decoded crops of one split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leansort.data.loading.loader import Pixels


@dataclass(frozen=True)
class Crops:
    """Decoded crops of one split.

    Attributes:
        pixels: uint8 RGB (n, h, w, 3).
        labels: n class indices.
    """

    pixels: Pixels
    labels: Sequence[int]
