"""The one place that opens pickles: tensors out of a `.pth`, once, on a person's explicit command or by a pinned hash.

`torch.load(weights_only=True)` builds tensors and plain containers and refuses whatever would run code.
"""

from __future__ import annotations

import re
import socket
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from leansort.arch.trained_model import save_tensors
from leansort.arch.workarounds.torchvision_import import import_torchvision
from leansort.core.errors import IntegrityError, UserError, did_you_mean, one_line
from leansort.core.writing import atomic_io

_INSIDE = ("state_dict", "model", "model_state_dict", "state_dict_ema", "model_ema", "ema", "ema_state_dict", "network")
_SECONDS = 10


def convert(source: str, out: Path) -> int:
    """Write a checkpoint's tensors as safetensors, in their order.

    Args:
        source: a `.pth` file, or `torchvision:NAME` (a model, or weights such as `ResNet18_Weights.IMAGENET1K_V1`).
        out: the file to write.

    Returns:
        The number of tensors.

    Raises:
        UserError: no such file or name, it cannot be fetched, or it holds other objects than tensors.
        IntegrityError: the file is damaged.
    """
    if source.startswith("torchvision:"):
        with atomic_io.scratch() as folder:
            tensors = _tensors(_torchvision(source, folder), source)
    else:
        tensors = _tensors(Path(source), source)
    # What two tensors share is written twice: the format has no tensors that share memory.
    plain = {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    save_tensors(out, plain, {"order": list(plain), "source": source})
    return len(plain)


def _tensors(path: Path, source: str) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(f"weights: {source} is not there")
    return read_checkpoint(path, source)


def read_checkpoint(file: Path | BinaryIO, source: str) -> dict[str, Tensor]:
    """Read a pickle's tensors by name, in their order, and run nothing of it.

    Args:
        file: that a person has named, or that is known by its hash.
        source: what it is called in errors.

    Raises:
        UserError: it holds other objects than tensors.
        IntegrityError: it is damaged.
    """
    result = _state(_opened(file, source))
    if result is None:
        raise UserError(
            f"weights: {source} holds no tensors by name, neither itself nor under {', '.join(_INSIDE[:3])}"
        )
    for name, tensor in result.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            raise UserError(f"weights: {source}: {name} is sparse, quantized or empty, need plain numbers")
    return result


def _opened(file: Path | BinaryIO, source: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of formats that it refuses right after
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises anything; weights_only keeps it from running anything
        message = one_line(error, None)
        named = re.search(r"(?:GLOBAL|global|type|function) ([\w.]+\.[\w.]+)", message)
        if named:
            raise UserError(
                f"weights: {source} holds other objects than tensors ({named[1]}); nothing of it was run; "
                "need a file with the state_dict alone"
            ) from None
        reason = message.rpartition("WeightsUnpickler error: ")[2][:80] or type(error).__name__
        raise IntegrityError(
            f"weights: {source} is damaged or no state_dict; nothing of it was run ({reason})"
        ) from None


def _state(result: Any, depth: int = 2) -> dict[str, Tensor] | None:
    """The tensors by name: the mapping itself, or what it holds under a usual key."""
    if not isinstance(result, Mapping) or not result:
        return None
    if all(isinstance(name, str) and isinstance(value, Tensor) for name, value in result.items()):
        return dict(result)
    inside = (_state(result[key], depth - 1) for key in _INSIDE if depth and key in result)
    return next((state for state in inside if state), None)


def _torchvision(source: str, folder: Path) -> Path:
    """Fetch a torchvision model's weights; their hash stands in their name."""
    url = _address(source.partition(":")[2])
    path = folder / url.rpartition("/")[2]
    prefix = re.search(r"-([0-9a-f]{8,})\.", path.name)
    if prefix is None:
        raise UserError(f"weights: {source}: {url} carries no hash to check it by")
    try:
        with _patience():
            torch.hub.download_url_to_file(url, str(path), prefix[1], progress=sys.stderr.isatty())
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(f"weights: {source}: {url} cannot be fetched ({reason})") from None
    except RuntimeError as error:
        raise IntegrityError(f"weights: {source}: {url}: {error}") from None
    return path


def _address(name: str) -> str:
    models: Any = import_torchvision("torchvision.models")
    try:
        weight = models.get_weight(name) if "." in name else models.get_model_weights(name).DEFAULT
    except (ValueError, AttributeError):
        close = did_you_mean(name, models.list_models())
        raise UserError(f"weights: torchvision has no weights {name!r}{close}") from None
    return str(weight.url)


@contextmanager
def _patience() -> Iterator[None]:
    """Give up on a silent server: torch's download sets no limit of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
