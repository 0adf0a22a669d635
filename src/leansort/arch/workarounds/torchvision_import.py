"""Importing torchvision, and what imports it, on a CPU-only torch.

torchvision's Linux wheel is built against CUDA; on a CPU-only torch its import fails because two operators that
we never call are missing. Declaring their schemas lets the import through.
"""

from __future__ import annotations

import importlib
from types import ModuleType

import torch

from leansort.core.errors import MissingExtraError

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # kept alive: the schemas vanish with the object


def import_torchvision(name: str = "torchvision", extra: str = "train") -> ModuleType:
    """Import torchvision, a module of it, or a package that needs it.

    Args:
        name: such as `torchvision.transforms.v2` or `timm`.
        extra: what installs it, for the error.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise MissingExtraError(name.partition(".")[0], extra) from None
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)
    return importlib.import_module(name)
