"""What a network's body makes of crops: what enters its classifier, and what its last stages put out, pooled.

The input of the classifier was made for other classes than the user's; the stages before it know more of texture and
material. A classifier on all of them together is better than one on the last alone (Head2Toe, arXiv:2201.03529), and
they cost nothing, as the body computes them anyway.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.trained_model import normalize
from leansort.core.errors import UserError
from leansort.core.preprocess import Preprocess

STAGES = 3  # before the classifier's input


class BodyFeatures(nn.Module):
    """A network's features in the place of its logits.

    Args:
        network: in evaluation mode, (b, 3, h, w) to (b, classes); gets hooks.
        classes: its outputs.
        preprocess: size and statistics of its images.

    Raises:
        UserError: the network has no linear classifier, whose input could be taken.
    """

    def __init__(self, network: nn.Module, classes: int, preprocess: Preprocess) -> None:
        super().__init__()
        heads = find_classifiers(network, classes)
        if not heads:
            raise UserError(
                "train --quick: the network has no linear classifier, so that there are no features before it to fit "
                "another one on; train it whole, without --quick"
            )
        self.network, self.preprocess, self.taken = network, preprocess, dict[str, Tensor]()
        stages = _last_stages(network, int(heads[0].weight.shape[1]), preprocess.size)
        heads[0].register_forward_pre_hook(lambda _, given: self._keep("classifier", given[0]))
        for name in stages:
            network.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: self._keep(name, out))
        self.names = ("classifier", *stages)
        self.eval()  # itself too: exporters give every part the mode of the whole back, and dropout would come on

    def _keep(self, name: str, x: Tensor) -> None:
        self.taken[name] = x.flatten(2).mean(2) if x.ndim == 4 else x.flatten(1)

    def forward(self, x_bhwc: Tensor) -> Tensor:
        """Map uint8 RGB (b, h, w, 3) to float32 (b, f)."""
        self.network(normalize(x_bhwc.permute(0, 3, 1, 2), self.preprocess))
        features_bf = torch.cat([self.taken[name].float() for name in self.names], 1)
        self.taken.clear()
        return features_bf

    def columns(self) -> dict[str, slice]:
        """Return which of the features are those of each part, by its name: `classifier`, then the stages."""
        size, columns, start = self.preprocess.size, dict[str, slice](), 0
        with torch.inference_mode():
            self.network(torch.zeros(1, 3, size, size))
        for name in self.names:
            columns[name] = slice(start, start + self.taken[name].shape[1])
            start = columns[name].stop
        self.taken.clear()
        return columns


def _last_stages(network: nn.Module, width: int, size: int) -> list[str]:
    """Names of the modules that end the last stages: of each shape that blocks put out, the last one.

    Args:
        network: in evaluation mode.
        width: channels of the classifier's input; maps of as many are that input before it was pooled.
        size: side of the images in pixels.
    """
    shapes: dict[tuple[int, ...], str] = {}

    def note(name: str, block: nn.Module, out: object) -> None:
        if not isinstance(out, Tensor) or out.ndim != 4 or out.shape[2:].numel() == 1 or out.shape[1] == width:
            return
        # Channels come second in what convolutions put out; of other layouts nothing is taken.
        if any(isinstance(part, nn.Conv2d) and part.out_channels == out.shape[1] for part in block.modules()):
            shapes.pop(tuple(out.shape), None)
            shapes[tuple(out.shape)] = name

    hooks = [
        block.register_forward_hook(lambda module, _, out, name=name: note(name, module, out))
        for name, block in _blocks(network, "")
    ]
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, size, size))
    finally:
        for hook in hooks:
            hook.remove()
    return list(shapes.values())[-STAGES:]


def _blocks(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    """The parts of a network that are no mere containers, by name."""
    for name, child in module.named_children():
        if type(child) in (nn.Sequential, nn.ModuleList):
            yield from _blocks(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child
