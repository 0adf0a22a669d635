"""Backbones of the timm library (extra `timm`), as `timm:NAME`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import nn

from leansort.arch.layers.same_padding import SameAvgPool2d, SameConv2d, SameMaxPool2d, replace_layers
from leansort.arch.spec.spec import ArchSpec
from leansort.arch.workarounds.torchvision_import import import_torchvision
from leansort.core.errors import UserError, did_you_mean, one_line
from leansort.core.preprocess import Preprocess

PREFIX = "timm:"
_OUTSIDE = {
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "pretrained_strict",
    "checkpoint_path",
    "cache_dir",
}
_INPUT_SIZE = "img_size"  # the option of models that are made for one size
Statistics = tuple[float, float, float]


def is_timm(base: str) -> bool:
    """Whether a base names a timm model."""
    return base.startswith(PREFIX)


def build_timm_network(spec: ArchSpec) -> nn.Module:
    """Build a timm model with weights as timm draws them; nothing is downloaded.

    Args:
        spec: `options` go to `timm.create_model`; dropout and drop path become its own.

    Raises:
        UserError: timm has no such model, or it does not take an option; widths and depths are part of its names.
        MissingExtraError: timm is not installed.
    """
    timm, name = _timm(), _known(spec.base)
    if spec.width != 1.0 or spec.depth != 1.0:
        raise UserError(f"arch: {spec.base} has its width and depth in its name; leave width and depth at 1")
    if outside := sorted(set(spec.options) & _OUTSIDE):
        raise UserError(
            f"arch: {spec.base}: option {outside[0]} reads files or downloads; name weights by arch.pretrained"
        )
    rates = {"drop_rate": spec.dropout, "drop_path_rate": spec.drop_path or None}
    given = {**spec.options, **{key: value for key, value in rates.items() if value is not None}}
    try:
        made = timm.create_model(name, pretrained=False, num_classes=spec.classes, **given)
    except (TypeError, ValueError, AssertionError, RuntimeError, KeyError) as error:
        raise UserError(f"arch: {spec.base} cannot be built with {given}: {one_line(error, 120)}") from None
    assert isinstance(made, nn.Module)
    return _with_own_padding(made)


def set_input_size(spec: ArchSpec, size: int) -> ArchSpec:
    """The spec for images of a size, where a timm model is made for one size and can be told which.

    Raises:
        UserError: timm has no such model.
        MissingExtraError: timm is not installed.
    """
    if not is_timm(spec.base) or _INPUT_SIZE in spec.options or not _has_fixed_size(spec.base, size):
        return spec
    told = spec.model_copy(update={"options": {**spec.options, _INPUT_SIZE: size}})
    try:
        with torch.device("meta"):
            build_timm_network(told)
    except UserError:  # it takes no such option, or not this size: what it says of the images will be clearer
        return spec
    return told


def change_input_size(spec: ArchSpec, size: int) -> ArchSpec:
    """The spec for images of another size than it may have been told before; see `set_input_size`.

    Raises:
        UserError: timm has no such model.
        MissingExtraError: timm is not installed.
    """
    options = {name: value for name, value in spec.options.items() if name != _INPUT_SIZE}
    return set_input_size(spec.model_copy(update={"options": options}), size) if is_timm(spec.base) else spec


def _has_fixed_size(base: str, size: int) -> bool:
    """Whether a model takes images of one size, and that is another."""
    config = _config(base)
    return bool(config and config.fixed_input_size and config.input_size[-1] != size)


def published_size(base: str) -> int:
    """Side in pixels of the images that a timm model was published with.

    Raises:
        UserError: timm has no such model.
        MissingExtraError: timm is not installed.
    """
    config = _config(base)
    return int(config.input_size[-1]) if config else 224


def _config(base: str) -> Any:
    """What timm knows of a model's published weights; None where there are none."""
    _timm()
    return import_torchvision("timm.models").get_pretrained_cfg(_known(base), allow_unregistered=False)


def normalization_statistics(base: str) -> tuple[Statistics, Statistics]:
    """Mean and standard deviation, per RGB channel of pixels/255, that a timm model's weights were made with.

    Raises:
        UserError: timm has no such model.
        MissingExtraError: timm is not installed.
    """
    config = _config(base)
    mean, std = (config.mean, config.std) if config else ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    return tuple(mean), tuple(std)


@dataclass(frozen=True)
class PublishedModel:
    """A timm model as its makers trained it, before its weights are loaded.

    Attributes:
        network: with weights as timm draws them.
        preprocess: size and statistics that its weights were made with.
        classes: outputs.
    """

    network: nn.Module
    preprocess: Preprocess
    classes: int


def build_published(base: str) -> PublishedModel:
    """Build a timm model with the classes it was published with.

    Raises:
        UserError: timm has no such model.
        MissingExtraError: timm is not installed.
    """
    config = _config(base)
    classes = config.num_classes if config else 1000
    mean, std = normalization_statistics(base)
    made = build_timm_network(ArchSpec(base=base, classes=classes))
    return PublishedModel(made, Preprocess(size=published_size(base), mean=mean, std=std), classes)


def synchronize_batch_norms(network: nn.Module) -> nn.Module:
    """The same with batch norms that share their statistics between processes, timm's own activations kept.

    Raises:
        MissingExtraError: timm is not installed.
    """
    import_torchvision()
    from timm.layers.norm_act import convert_sync_batchnorm

    made: nn.Module = convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return made


def group_weights(network: nn.Module) -> dict[str, int] | None:
    """How deep timm says that each weight lies, by its name, as its own layer-wise learning rates count; pruned or not.

    Returns:
        Numbers that rise from the input to the head; None where the network is not timm's, or does not say.
    """
    matcher = getattr(network, "group_matcher", None)
    if matcher is None:
        return None
    group = import_torchvision("timm.models", "timm").group_parameters
    try:
        depths: dict[str, int] = group(network, matcher(coarse=False), reverse=True)
    except (TypeError, ValueError, NotImplementedError, AssertionError):  # of models whose matcher is not kept up
        return None
    return depths


def _with_own_padding(network: nn.Module) -> nn.Module:
    """Where timm pads as TensorFlow does, layers that every exporter can follow; outputs and names stay."""
    from timm.layers.conv2d_same import Conv2dSame, Conv2dSameExport
    from timm.layers.pool2d_same import AvgPool2dSame, MaxPool2dSame

    kinds: dict[type[nn.Module], type[nn.Module]] = {
        Conv2dSame: SameConv2d,
        Conv2dSameExport: SameConv2d,
        MaxPool2dSame: SameMaxPool2d,
        AvgPool2dSame: SameAvgPool2d,
    }
    return replace_layers(network, kinds)


def _timm() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own deprecations
        return import_torchvision("timm", "timm")


def _known(base: str) -> str:
    """The name without prefix, with its tag of weights where it has one."""
    name = base.removeprefix(PREFIX)
    names = _timm().list_models()
    if name.partition(".")[0] not in names:
        raise UserError(f"timm has no model {name!r}{did_you_mean(name, names)}")
    return name
