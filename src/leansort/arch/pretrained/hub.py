"""Weights from the Hugging Face hub, timm's among them: `model.safetensors` of a repository, never a pickle.

What the hub's cache holds is taken without asking the hub: the same command gives the same weights, offline too.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from leansort.arch.workarounds.torchvision_import import import_torchvision
from leansort.core.errors import MissingExtraError, UserError, did_you_mean, one_line

FILE = "model.safetensors"
_SECONDS = 5  # to answer at all; the hub's own client would go on trying for half a minute


def download(repository: str, source: str) -> Path:
    """Return where a repository's weights lie, fetched if need be.

    Args:
        repository: `owner/name` or `owner/name@revision`.
        source: what the user wrote, for the error.

    Raises:
        UserError: no such repository, no safetensors in it, or not cached and the hub cannot be reached.
        MissingExtraError: huggingface_hub is not installed.
    """
    try:
        import huggingface_hub
        from huggingface_hub import constants, errors
    except ImportError:
        raise MissingExtraError("huggingface_hub", "timm") from None
    name, _, revision = repository.partition("@")
    wanted: dict[str, Any] = {"repo_id": name, "filename": FILE, "revision": revision or None}
    try:
        return Path(huggingface_hub.hf_hub_download(**wanted, local_files_only=True))
    except errors.HFValidationError:
        raise UserError(f"weights: {source}: {name!r} is no repository's name, need OWNER/NAME") from None
    except errors.LocalEntryNotFoundError:
        _reach(constants.ENDPOINT, source, offline=constants.HF_HUB_OFFLINE)
    try:
        return Path(huggingface_hub.hf_hub_download(**wanted))
    except Exception as error:  # its HTTP and transfer libraries, which differ by version, raise classes of their own
        raise UserError(f"weights: {source}: {_reason(error, errors)}") from None


def _reach(endpoint: str, source: str, *, offline: bool) -> None:
    if offline:
        raise UserError(f"weights: {source}: not in the hub's cache, and HF_HUB_OFFLINE forbids to fetch it")
    try:
        with urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=_SECONDS):
            return
    except urllib.error.HTTPError:  # whatever it answers, it is there
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"weights: {source}: not in the hub's cache, and {endpoint} cannot be reached ({reason})"
        ) from None


def _reason(error: Exception, errors: Any) -> str:
    if isinstance(error, errors.RepositoryNotFoundError):
        return "the hub has no such repository, or it is private or gated"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the repository has no such revision"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return "the connection to the hub broke off"
    if isinstance(error, errors.EntryNotFoundError):
        return f"holds no {FILE}; fetch its .bin or .pth and turn it into one: leansort arch pretrained FILE --out NEW"
    return f"cannot be fetched ({one_line(error, 140) or type(error).__name__})"


def timm_repository(name: str) -> str:
    """The repository of a timm model's weights; without a tag that of timm's own choice.

    Raises:
        UserError: timm has no such model, or no weights for it on the hub.
        MissingExtraError: timm is not installed.
    """
    if "." in name:
        return f"timm/{name}"
    models: Any = import_torchvision("timm.models", "timm")
    if not models.is_model(name):
        raise UserError(f"weights: timm has no model {name!r}{did_you_mean(name, models.list_models())}")
    repository = getattr(models.get_pretrained_cfg(name), "hf_hub_id", None)
    if not repository:
        raise UserError(f"weights: timm has no weights of {name!r} on the hub")
    return str(repository)


def in_timm_order(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Put tensors, which files hold by the alphabet, in the order that timm builds them in, where timm is at hand."""
    try:
        timm = import_torchvision("timm", "timm")
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            built = timm.create_model(name, pretrained=False).state_dict()
    except (MissingExtraError, RuntimeError, TypeError, ValueError):  # the order helps, it is not needed
        return tensors
    return {key: tensors[key] for key in [*(k for k in built if k in tensors), *(k for k in tensors if k not in built)]}
