"""What of a network stays as its pretrained weights have it: the body at first, the statistics of batch norms."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from leansort.core.errors import UserError


def set_modes(model: nn.Module, *, frozen: bool, freeze_norms: bool) -> None:
    """Set training or evaluation mode for an epoch.

    Args:
        model: changed in place.
        frozen: whether the classifier alone is trained. All is then in evaluation mode: a body that is not trained is
            to give the same features in every epoch, so its batch norms must not drift and nothing is dropped.
        freeze_norms: whether batch norms normalize by the statistics they have; their scale and shift are trained.
    """
    model.train(not frozen)
    for norm in _norms(model) if freeze_norms else ():
        norm.eval()


def require_norms(model: nn.Module) -> None:
    """Refuse to freeze what is not there.

    Raises:
        UserError: the network has no batch norms.
    """
    if not _norms(model):
        raise UserError("train.freeze_norms: the network has no batch norms whose statistics could be kept")


def freeze_all_but(model: nn.Module, heads: Collection[int], *, frozen: bool) -> None:
    """Ask for gradients of the classifier alone, or of everything again.

    Args:
        model: changed in place.
        heads: `id` of each of the classifier's weights.
        frozen: whether the rest is to have none; no backward pass then goes into the body.
    """
    for weight in model.parameters():
        weight.requires_grad_(not frozen or id(weight) in heads)


def _norms(model: nn.Module) -> list[_BatchNorm]:
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]
