"""Augmentation of uint8 crops with torchvision's transforms v2.

torchvision's Linux wheel is built against CUDA; on a CPU-only torch its import fails because two operators that
we never call are missing. Declaring their schemas lets the import through.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from leansort.core.errors import MissingExtraError
from leansort.data.augment_config import AugmentConfig

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # kept alive: the schemas vanish with the object


def transforms() -> Any:
    """Import `torchvision.transforms.v2`, on a CPU-only torch too.

    Raises:
        MissingExtraError: torchvision is not installed.
    """
    try:
        return importlib.import_module("torchvision.transforms.v2")
    except ModuleNotFoundError:
        raise MissingExtraError("torchvision", "train") from None
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)
    return importlib.import_module("torchvision.transforms.v2")


def augmentation(config: AugmentConfig, size: int) -> Callable[[Tensor], Tensor]:
    """Make the training transform: uint8 (3, H, W) to uint8 (3, size, size), random by torch's generator."""
    v2 = transforms()
    steps = [
        v2.RandomResizedCrop(size, scale=(config.min_scale, 1.0), antialias=True),
        v2.RandomHorizontalFlip(config.flip_horizontal),
        v2.RandomVerticalFlip(config.flip_vertical),
    ]
    if config.randaugment:
        steps.append(v2.RandAugment(config.randaugment, config.magnitude, fill=114))
    if config.erase:
        steps.append(v2.RandomErasing(config.erase, value=114))
    composed: Callable[[Tensor], Tensor] = v2.Compose(steps)
    return composed
