"""Batch norms whose statistics all processes share."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from leansort.arch.timm_models import timm_networks
from leansort.core.errors import UserError
from leansort.train.distillation.teacher_loss import Student


def synchronize_batch_norms(student: Student, device: torch.device) -> Student:
    """The same with batch norms whose statistics all processes share.

    Raises:
        UserError: on CPUs, where PyTorch has none.
        MissingExtraError: the network is timm's, and timm is not installed.
    """
    if device.type == "cpu":
        raise UserError("train.sync_norms: PyTorch shares batch norms between GPUs only")
    norms = [module for module in student.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if all(type(norm) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d) for norm in norms):
        return cast(Student, nn.SyncBatchNorm.convert_sync_batchnorm(student))  # type: ignore[no-untyped-call]
    # timm's norms have an activation of their own, which PyTorch's conversion would drop.
    return cast(Student, timm_networks.synchronize_batch_norms(student))
