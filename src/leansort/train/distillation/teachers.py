"""Teachers: trained models and bundles, and published networks of packs and timm, which know other classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from leansort.arch import trained_model
from leansort.arch.build import build
from leansort.arch.pretrained import weight_loader, weight_pack
from leansort.arch.pretrained.weight_pack import WeightPack
from leansort.arch.spec.batch_norm_folding import fold_batch_norms_inplace
from leansort.arch.spec.initialization import find_classifiers
from leansort.arch.spec.memory_format import channels_last
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.timm_models import timm_networks
from leansort.arch.timm_models.timm_networks import PublishedModel
from leansort.arch.trained_model import normalize
from leansort.core import bundle as bundles
from leansort.core.errors import UserError
from leansort.core.labels import LabelSet
from leansort.core.preprocess import Preprocess
from leansort.measure import engine_trial
from leansort.runtime import shipped_models
from leansort.runtime.engine import LoadedGraph
from leansort.train.distillation.teacher_loss import Features, resize_crops


class NetworkTeacher:
    """A trained network; crops of another size are resized to that it was trained at.

    Args:
        network: taken over; its batch norms are folded, which makes it up to twice as fast.
        preprocess: its own.
        classes: outputs.
        hints: whether its features are wanted.
        knows: whether its classes are the student's; if not, it gives features alone.
    """

    def __init__(
        self, network: nn.Module, preprocess: Preprocess, classes: int, *, hints: bool, knows: bool = True
    ) -> None:
        self.network = channels_last(fold_batch_norms_inplace(network.requires_grad_(False)))
        self.preprocess, self.knows = preprocess, knows
        self.features = Features(self.network, classes) if hints and find_classifiers(self.network, classes) else None
        self.width, self.size = self.features.width if self.features else 0, preprocess.size

    def __call__(self, x_bchw: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Map uint8 (b, 3, h, w) to logits (b, classes) and features (b, width)."""
        self.network.to(x_bchw.device)
        logits_bc = self.network(normalize(resize_crops(x_bchw, self.preprocess.size), self.preprocess))
        return logits_bc.float() if self.knows else None, self.features.taken if self.features else None


class BundleTeacher:
    """A bundle, run by its engine on the CPU; gives no features."""

    width = 0

    def __init__(self, engine: LoadedGraph, size: int) -> None:
        self.engine, self.size = engine, size

    def __call__(self, x_bchw: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Map uint8 (b, 3, h, w) to logits (b, classes)."""
        x_bhwc = resize_crops(x_bchw, self.size).permute(0, 2, 3, 1).cpu().numpy()
        return torch.from_numpy(self.engine.run(np.ascontiguousarray(x_bhwc))).to(x_bchw.device), None


def load(paths: Sequence[Path], labels: LabelSet, *, hints: bool, threads: int) -> list[NetworkTeacher | BundleTeacher]:
    """Load teachers.

    Args:
        paths: run folders, `.safetensors` models, `.leansort` bundles, names of models
            (`leansort models`), `pack:NAME` or `timm:NAME`.
        labels: the student's classes; every teacher must have the same in the same order.
        hints: whether features are wanted, too.
        threads: of a bundle's engine.

    Raises:
        UserError: a file is missing, its classes differ, features are wanted of bundles alone, or nothing but features
            can be had and they are not wanted.
        IntegrityError: a file is damaged.
    """
    if hints and not paths:
        raise UserError("distill.hints: nobody gives any; name distill.teachers, or set it to 0")
    teachers = [_load(path, labels, hints=hints, threads=threads) for path in paths]
    if hints and not any(teacher.width for teacher in teachers):
        raise UserError("distill.hints: bundles give no features; name a trained model among the teachers")
    return teachers


def require_same_classes(paths: Sequence[Path], labels: LabelSet) -> None:
    """Refuse teachers that know other classes, before other teachers are trained.

    Raises:
        UserError: a file is missing, or its classes differ.
        IntegrityError: a file is damaged.
    """
    for path in paths:
        if not _is_published(str(path)):
            _load(path, labels, hints=False, threads=1)


def _load(path: Path, labels: LabelSet, *, hints: bool, threads: int) -> NetworkTeacher | BundleTeacher:
    if _is_published(str(path)):
        return _published(str(path), hints=hints)
    path = path if path.exists() else shipped_models.find_bundle(path)
    if path.suffix == ".leansort":
        bundle = bundles.load(path)
        _same_classes(path, bundle.meta.labels, labels)
        return BundleTeacher(engine_trial.load(bundle, threads=threads), bundle.meta.preprocess.size)
    model = trained_model.load(path)
    _same_classes(path, model.labels.names, labels)
    return NetworkTeacher(model.network(), model.preprocess, len(labels), hints=hints)


def _is_published(source: str) -> bool:
    return timm_networks.is_timm(source) or weight_pack.is_pack(source)


def _published(source: str, *, hints: bool) -> NetworkTeacher:
    """A network with the weights of its makers: one of timm's, or the one that a pack is made for."""
    pack = weight_pack.find_pack(source) if weight_pack.is_pack(source) else None
    if not hints:
        raise UserError(
            f"distill.teachers: {source} knows other classes than the data, so it gives features alone; set "
            f"distill.hints, or train it on the data first (arch.base: {pack.facts.backbone if pack else source}, "
            f"arch.pretrained: {source})"
        )
    made = _network_of(pack) if pack else timm_networks.build_published(source)
    made.network.load_state_dict(weight_loader.read_weights(source))
    return NetworkTeacher(made.network, made.preprocess, made.classes, hints=True, knows=False)


def _network_of(pack: WeightPack) -> PublishedModel:
    facts = pack.facts
    return PublishedModel(build(ArchSpec(base=facts.backbone, classes=facts.classes)), facts.preprocess, facts.classes)


def _same_classes(path: Path, theirs: Sequence[str], labels: LabelSet) -> None:
    if tuple(theirs) != tuple(labels.names):
        raise UserError(f"distill.teachers: {path} knows {', '.join(theirs)}; the data have {', '.join(labels.names)}")
