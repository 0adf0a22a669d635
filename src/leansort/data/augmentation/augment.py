"""Augmentation of uint8 crops: ours for training, torchvision's transforms v2 as its reference."""

from __future__ import annotations

from typing import Any

from leansort.arch.workarounds.torchvision_import import import_torchvision
from leansort.data.augmentation.augment_config import AugmentConfig
from leansort.data.augmentation.batch import Augmentation


def transforms() -> Any:
    """Import `torchvision.transforms.v2`, on a CPU-only torch too.

    Raises:
        MissingExtraError: torchvision is not installed.
    """
    return import_torchvision("torchvision.transforms.v2")


def augmentation(config: AugmentConfig, size: int) -> Augmentation:
    """Make what varies training crops: uint8 (b, h, w, 3), their keys and seeds to uint8 (b, size, size, 3)."""
    return Augmentation(config, size)
