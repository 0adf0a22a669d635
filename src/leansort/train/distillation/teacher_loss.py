"""Learning from teachers: their class probabilities, softened, and what they look at (arXiv:1503.02531)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leansort.arch.spec.initialization import find_classifiers
from leansort.core.errors import UserError
from leansort.train.train_config import DistillConfig

Key = tuple[int, ...]


class Teacher(Protocol):
    """What gives logits, features or both for uint8 crops.

    Attributes:
        width: of the features; 0 where it gives none.
    """

    width: int

    def __call__(self, x_bchw: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Map uint8 (b, 3, h, w) to logits (b, classes), where it knows the classes, and features (b, f), if any."""
        ...


def resize_crops(x_bchw: Tensor, size: int) -> Tensor:
    """Square uint8 crops at another size; the same ones where it is the same."""
    if x_bchw.shape[-1] == size:
        return x_bchw
    made = F.interpolate(x_bchw.float(), (size, size), mode="bilinear", antialias=True, align_corners=False)
    return made.round().clamp(0, 255).to(torch.uint8)


class Features:
    """Keeps what enters a network's classifier at each forward, pooled to (b, f)."""

    def __init__(self, network: nn.Module, classes: int) -> None:
        heads = find_classifiers(network, classes)
        if not heads:
            raise UserError("distill.hints: the network has no linear classifier whose input could be matched")
        self.taken: Tensor | None = None
        self.width = heads[0].weight.shape[1]
        heads[0].register_forward_pre_hook(lambda _, given: self._take(given))

    def _take(self, given: tuple[Tensor, ...]) -> None:
        self.taken = given[0].flatten(2).mean(2) if given[0].ndim == 4 else given[0]


class Distillation:
    """The teachers of one training.

    Args:
        teachers: averaged.
        config: `weight`, `temperature`, `hints`.
    """

    def __init__(self, teachers: Sequence[Teacher], config: DistillConfig) -> None:
        self.teachers, self.config = teachers, config
        self.kept: dict[Key, Tensor] = {}

    @torch.no_grad()
    def targets(self, x_bchw: Tensor, keys: Sequence[Key] | None) -> tuple[Tensor | None, list[Tensor]]:
        """Mean of the teachers' softened probabilities, None where no teacher knows the classes, and their features.

        Args:
            x_bchw: the uint8 crops that the student sees.
            keys: name each crop and the way it is varied; what was seen under a key is not computed again. None where
                a crop never comes back, or where features are wanted.
        """
        if keys is None:
            return self._asked(x_bchw)
        new = [at for at, key in enumerate(keys) if key not in self.kept]
        if new:
            soft_bc, _ = self._asked(x_bchw[new])
            assert soft_bc is not None  # such teachers give features alone, and with features there are no keys
            self.kept |= zip((keys[at] for at in new), soft_bc.half().cpu(), strict=True)
        # Also the first time as it is kept: a resumed run, which has forgotten it, then learns from the same numbers.
        return torch.stack([self.kept[key] for key in keys]).to(x_bchw.device).float(), []

    def _asked(self, x_bchw: Tensor) -> tuple[Tensor | None, list[Tensor]]:
        given = [teacher(x_bchw) for teacher in self.teachers]
        soft = [F.softmax(logits / self.config.temperature, 1) for logits, _ in given if logits is not None]
        features = [features for _, features in given if features is not None]
        return torch.stack(soft).mean(0) if soft else None, features

    def loss(self, student_bc: Tensor, soft_bc: Tensor) -> Tensor:
        """Kullback-Leibler divergence of the softened probabilities, scaled so that gradients keep their size."""
        temperature = self.config.temperature
        log_bc = F.log_softmax(student_bc.float() / temperature, 1)
        return F.kl_div(log_bc, soft_bc, reduction="batchmean") * temperature**2


class Student(nn.Module):
    """The network that learns, and linear layers from its features to each teacher's, for the training alone.

    Args:
        network: the one that is kept.
        teachers: widths of the features that it is to match; none for no hints.
        classes: outputs.
    """

    def __init__(self, network: nn.Module, teachers: Sequence[int], classes: int) -> None:
        super().__init__()
        self.network = network
        self.features = Features(network, classes) if teachers else None
        width = self.features.width if self.features else 0
        self.maps = nn.ModuleList(nn.Linear(width, teacher) for teacher in teachers)

    def forward(self, x_bchw: Tensor, theirs: Sequence[Tensor] = ()) -> tuple[Tensor, Tensor | None]:
        """Map the input to logits, and to the mean squared distance from the teachers' features, of unit length."""
        logits_bc = self.network(x_bchw)
        if self.features is None or self.features.taken is None or not theirs:
            return logits_bc, None
        own_bf = self.features.taken.float()
        distances = [
            (F.normalize(layer(own_bf), dim=1) - F.normalize(feature_bf.float(), dim=1)).square().sum(1).mean()
            for layer, feature_bf in zip(self.maps, theirs, strict=True)
        ]
        return logits_bc, torch.stack(distances).mean()
