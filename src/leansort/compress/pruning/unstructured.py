"""Unstructured magnitude pruning (arXiv:1506.02626): single weights become zero; the file compresses, nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.trained_model import TrainedModel

_LEVEL = 6


def zero_smallest_weights(
    model: TrainedModel, amount: float, scope: Literal["global", "local"]
) -> tuple[TrainedModel, dict[str, float]]:
    """Zero the smallest weights of convolutions and linear layers; biases, norms and the classifier stay.

    Args:
        model: not changed.
        amount: fraction of these weights that are to be zero, 0 to 1.
        scope: `local` takes the fraction from each layer; `global` the smallest of all together, each compared with the
            mean of its layer.

    Returns:
        The model, of the same spec, and the fraction of zeros in each layer's weights.

    Raises:
        ValueError: the amount is out of range.
    """
    if not 0.0 <= amount <= 1.0:
        raise ValueError(f"need an amount in 0..1, got {amount}")
    dense = _layers(model)
    if scope == "local":
        sparse = {key: _without_smallest({key: weight}, amount)[key] for key, weight in dense.items()}
    else:
        sparse = _without_smallest(dense, amount)
    zeros = {key.removesuffix(".weight"): float((weight == 0).float().mean()) for key, weight in sparse.items()}
    return replace(model, weights={**model.weights, **sparse}), zeros


def compressed_bytes(model: TrainedModel) -> int:
    """Size of the weights as zlib packs them: what the zeros gain on disk and on the way to a device."""
    packer = zlib.compressobj(_LEVEL)
    packed = 0
    for _, tensor in sorted(model.weights.items()):
        plain = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        packed += len(packer.compress(plain.numpy().tobytes()))
    return packed + len(packer.flush())


def _layers(model: TrainedModel) -> dict[str, Tensor]:
    network = model.network()
    heads = set(find_classifiers(network, model.spec.classes))
    return {
        f"{name}.weight": model.weights[f"{name}.weight"]
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and module not in heads
    }


def _without_smallest(weights: Mapping[str, Tensor], amount: float) -> dict[str, Tensor]:
    """Copies in which that share of all, rounded, is zero."""
    sizes = torch.cat([_relative(weight).reshape(-1) for weight in weights.values()])
    kept = torch.ones(len(sizes), dtype=torch.bool)
    kept[torch.argsort(sizes, stable=True)[: round(amount * len(sizes))]] = False
    masks = torch.split(kept, [weight.numel() for weight in weights.values()])
    return {key: weight * mask.view(weight.shape) for (key, weight), mask in zip(weights.items(), masks, strict=True)}


def _relative(weight: Tensor) -> Tensor:
    """How large weights are among those of their layer, whose own scale a batch norm takes away."""
    size = weight.detach().float().abs()
    return size / size.mean().clamp(min=torch.finfo(size.dtype).tiny)
