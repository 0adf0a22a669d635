"""Weights of packs, read once and kept as safetensors in the user's cache folder, under our own names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from leansort.arch import trained_model
from leansort.arch.pretrained.pack_conversion import convert_pack
from leansort.arch.pretrained.weight_pack import WeightPack, find_pack
from leansort.core.errors import LeansortError, MachineError
from leansort.core.folders.user_cache import cache_folder
from leansort.core.process.console import say
from leansort.core.writing import atomic_io
from leansort.core.writing.file_lock import hold_lock

_VERSION = 1  # of how files are kept


def read_pack(source: str) -> dict[str, Tensor]:
    """Return the tensors of `pack:NAME` under the names of its backbone and in its order.

    They come from the cache where they are there whole, and are read from the pack's file and kept there else; of
    several processes one does it. Where nothing can be kept, they are read anew each time, which is said.

    Raises:
        UserError: there is no such pack, its distribution is not installed, or its file is missing or wrong.
        IntegrityError: the file is not what the pack was written for.
    """
    pack = find_pack(source)
    try:
        path = cached_file(pack)
        kept = read_cached(path)
        return kept if kept is not None else _keep(pack, path)
    except MachineError as error:
        say(f"warning: weights: {source} is not kept ({error}) and will be read anew each time")
        return convert_pack(pack)


def cached_file(pack: WeightPack) -> Path:
    """Where a pack is kept, which changes with its file, its map of names and its backbone.

    Raises:
        MachineError: the user has no home folder.
    """
    known = atomic_io.digest([_VERSION, pack.facts.sha256, pack.facts.key_map, pack.facts.backbone])
    return cache_folder("packs") / f"{pack.name}-{known}.safetensors"


def read_cached(path: Path) -> dict[str, Tensor] | None:
    """The tensors in a file of the cache; None where there is none, or a damaged one."""
    try:
        tensors, meta = trained_model.load_tensors(path, "weights")
    except LeansortError:
        return None
    order = meta.get("order")
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(tensors):
        return None
    tensors = {name: tensors[name] for name in order}
    return tensors if meta.get("digest") == _digest(tensors) else None


def _keep(pack: WeightPack, path: Path) -> dict[str, Tensor]:
    with hold_lock(path.with_suffix(".lock")):
        kept = read_cached(path)  # another process may have made it while this one waited
        if kept is not None:
            return kept
        atomic_io.clear_leftovers(path)
        tensors = convert_pack(pack)
        meta = {"order": list(tensors), "digest": _digest(tensors), "packs": [pack.record("pretrained")]}
        trained_model.save_tensors(path, tensors, meta)
        return tensors


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """Of names, types, shapes and values."""
    result = hashlib.sha256()
    for name, tensor in tensors.items():
        result.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        result.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return result.hexdigest()
