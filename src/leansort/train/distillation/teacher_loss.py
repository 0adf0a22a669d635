"""Learning from teachers: their class probabilities, softened, and what they look at (arXiv:1503.02531)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leansort.arch.spec.initialization import find_classifiers
from leansort.core.errors import UserError
from leansort.train.distillation.teacher_outputs import Key, TeacherOutputs
from leansort.train.train_config import DistillConfig

_MOST = float(torch.finfo(torch.float16).max)
Views = Callable[[Sequence[Key], int], Tensor]


class Teacher(Protocol):
    """What gives logits, features or both for uint8 crops.

    Attributes:
        width: of the features; 0 where it gives none.
        size: side in pixels that it resizes crops to; 0 where it takes any.
    """

    width: int
    size: int

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
        outputs: where what they gave is kept; None asks every time.
        views: makes named crops at another size, uint8 (b, 3, size, size), varied as they are named. None: teachers
            that take larger crops than the student's are given the student's, enlarged.
    """

    def __init__(
        self,
        teachers: Sequence[Teacher],
        config: DistillConfig,
        outputs: TeacherOutputs | None = None,
        views: Views | None = None,
    ) -> None:
        self.teachers, self.config, self.outputs, self.views = teachers, config, outputs, views

    @torch.no_grad()
    def targets(self, x_bchw: Tensor, names: Sequence[Key] | None) -> tuple[Tensor | None, list[Tensor]]:
        """Mean of the teachers' softened probabilities, None where no teacher knows the classes, and their features.

        Args:
            x_bchw: the uint8 crops that the student sees.
            names: of each crop and the way it is varied; what was seen under a name is not computed again. None where
                crops are mixed and have no name.
        """
        if names is None or self.outputs is None or not self.outputs.views:
            return self._asked(x_bchw, names)

        def ask(places: list[int]) -> Tensor:
            soft_bc, features = self._asked(x_bchw[places], [names[at] for at in places])
            parts = [part.float().clamp(-_MOST, _MOST) for part in (soft_bc, *features) if part is not None]
            return torch.cat(parts, 1)

        # Also the first time as it is kept: what is asked and what is remembered are then the same numbers.
        rows = self.outputs.rows(names, ask).to(x_bchw.device).float()
        widths = [teacher.width for teacher in self.teachers if teacher.width]
        classes = rows.shape[1] - sum(widths)
        soft_bc, *features = torch.split(rows, [classes, *widths], 1)
        return soft_bc if classes else None, features

    def _asked(self, x_bchw: Tensor, names: Sequence[Key] | None) -> tuple[Tensor | None, list[Tensor]]:
        given = [teacher(self._crops(x_bchw, names, teacher.size)) for teacher in self.teachers]
        soft = [F.softmax(logits / self.config.temperature, 1) for logits, _ in given if logits is not None]
        features = [features for _, features in given if features is not None]
        return torch.stack(soft).mean(0) if soft else None, features

    def _crops(self, x_bchw: Tensor, names: Sequence[Key] | None, size: int) -> Tensor:
        """The crops for a teacher: made anew at its size where that is larger than the student's."""
        if self.views is None or names is None or size <= x_bchw.shape[-1]:
            return x_bchw
        return self.views(names, size).to(x_bchw.device)

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
