"""Batch-norm statistics of a network whose weights were averaged: no batch was ever normalized by it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def recompute_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics by the mean over batches (arXiv:1803.05407, section 3.2); in place.

    PyTorch's `update_bn` does the same with dropout and skipped blocks as in training; here they are off, as they will
    be when the network is used.

    Args:
        network: left in evaluation mode.
        batches: at least one, normalized, (b, 3, h, w).
    """
    norms = [part for part in network.eval().modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # which is the plain mean over batches
        norm.train()
    for x_bchw in batches if norms else ():
        network(x_bchw)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
