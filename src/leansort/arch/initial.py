"""Drawing a network's first weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn


def initialize(model: nn.Module) -> None:
    """Draw weights as the mobile networks' papers do: He normal over the fan-out for convolutions, unit batch norms.

    The fan-out is that of one group (arXiv:1502.01852 counts the connections a unit has), as the papers' own code has
    it; PyTorch's `kaiming_normal_` takes the channels of all groups and draws depthwise kernels far too small.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * math.prod(module.kernel_size) / module.groups
            nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan_out))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def zero_classifier(model: nn.Module, classes: int) -> None:
    """Set the classifier to zero: the first loss is then log(classes) exactly.

    A random classifier on a thousand features starts far above it and the first steps only undo that.
    """
    for head in classifiers(model, classes):
        nn.init.zeros_(head.weight)
        if head.bias is not None:
            nn.init.zeros_(head.bias)


def classifiers(model: nn.Module, classes: int) -> Sequence[nn.Linear | nn.Conv2d]:
    """The layers that put out the classes: the last linear layer or 1x1 convolution, or each of several heads."""
    found = [module for module in model.modules() if _outputs(module) == classes]
    linear = [module for module in found if isinstance(module, nn.Linear)]
    if linear:
        return [module for module in linear if module.in_features == linear[-1].in_features]
    return [module for module in found if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)][-1:]


def _outputs(module: nn.Module) -> int | None:
    if isinstance(module, nn.Linear):
        return module.out_features
    return module.out_channels if isinstance(module, nn.Conv2d) else None
