"""Drawing a network's first weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from leansort.arch.spec.spec import Init


def initialize(model: nn.Module, init: Init) -> None:
    """Draw weights: He normal over the fan-out for convolutions (arXiv:1502.01852), unit batch norms.

    Args:
        model: changed in place.
        init: `paper` counts the fan-out of one group, as the mobile networks' authors do; `small` that of the whole
            layer, as PyTorch's `kaiming_normal_` does, which draws depthwise kernels far smaller. Batch norms undo the
            scale of what comes out, but not that of a step: small kernels learn much faster.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            groups = module.groups if init == "paper" else 1
            fan_out = module.out_channels * math.prod(module.kernel_size) / groups
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
    for head in find_classifiers(model, classes):
        nn.init.zeros_(head.weight)
        if head.bias is not None:
            nn.init.zeros_(head.bias)


def find_classifiers(model: nn.Module, classes: int) -> Sequence[nn.Linear | nn.Conv2d]:
    """The layers that put out the classes: the last linear layer or 1x1 convolution, or each of several heads."""
    modules = [module for module in model.modules() if _outputs(module) == classes]
    linear = [module for module in modules if isinstance(module, nn.Linear)]
    if linear:
        return [module for module in linear if module.in_features == linear[-1].in_features]
    return [module for module in modules if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)][-1:]


def _outputs(module: nn.Module) -> int | None:
    if isinstance(module, nn.Linear):
        return module.out_features
    return module.out_channels if isinstance(module, nn.Conv2d) else None
