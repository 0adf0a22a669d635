"""Pretrained weights for our networks: found by name or path, matched, copied. No pickle is read here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
from torch import Tensor, nn

from leansort.arch.pretrained import hub
from leansort.arch.pretrained.matching import WeightMatch, match
from leansort.core.errors import IntegrityError, UserError, one_line
from leansort.core.run_folder import ModelFolder
from leansort.core.text.text_files import parse_json

PICKLES = (".pth", ".pt", ".bin", ".ckpt", ".pkl", ".pickle", ".tar")
FORMS = "a .safetensors file, timm:NAME[.TAG], hf:OWNER/NAME[@REVISION] or torchvision:NAME"


def is_pickle(source: str) -> bool:
    """Whether a source is a pickle, which only the conversion reads."""
    return source.startswith("torchvision:") or source.lower().endswith(PICKLES)


def read_weights(source: str) -> dict[str, Tensor]:
    """Read weights.

    Args:
        source: a safetensors file or the folder of a trained model; `timm:NAME`, with or without a tag; or
            `hf:OWNER/NAME`, with or without `@REVISION`.

    Returns:
        Tensors on the CPU: in the network's order where that is known, else by the alphabet.

    Raises:
        UserError: no such file, model or repository, the hub cannot be reached, or it is a pickle.
        IntegrityError: the file is damaged.
        MissingExtraError: what it takes is not installed.
    """
    kind, _, name = source.partition(":")
    if kind == "timm":
        return hub.in_timm_order(name, _read(hub.download(hub.timm_repository(name), source)))
    if kind == "hf":
        return _read(hub.download(name, source))
    if is_pickle(source):
        raise UserError(
            f"weights: {source} is a pickle, and a pickle runs what it holds; turn it into tensors once: "
            f"leansort arch pretrained {source} --out NEW.safetensors"
        )
    path = ModelFolder(Path(source)).model if Path(source).is_dir() else Path(source)
    if not path.is_file():
        raise UserError(f"weights: {source} is not there; need {FORMS}")
    return _read(path)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        with safetensors.safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            meta = parse_json((file.metadata() or {}).get("leansort", "{}"), "its header")
    except (safetensors.SafetensorError, OSError, UserError) as error:
        reason = one_line(error, 140)
        raise IntegrityError(f"weights: {path} is damaged or no safetensors file ({reason})") from None
    order = meta.get("order") if isinstance(meta, dict) else None
    known = order if isinstance(order, list) and sorted(map(str, order)) == sorted(tensors) else list(tensors)
    return {name: tensors[name] for name in known}


def load_pretrained(network: nn.Module, source: str, names: Mapping[str, str] | None = None) -> WeightMatch:
    """Copy pretrained weights into a network where they fit; all that fits or, on an error, none.

    Args:
        network: changed in place.
        source: as `fetch` takes it.
        names: their names or beginnings of names, and what each is called here.

    Returns:
        What went where.

    Raises:
        UserError: as `fetch`, or less than half fits.
        IntegrityError: the file is damaged or holds values that are not finite.
    """
    theirs, own = read_weights(source), network.state_dict()
    hit = match(own, theirs, names)
    for pair in hit.pairs:
        if not theirs[pair.theirs].float().isfinite().all():
            raise IntegrityError(f"weights: {source}: {pair.theirs} holds values that are not finite")
    fitting = {pair.own: theirs[pair.theirs].reshape(own[pair.own].shape) for pair in hit.pairs}
    network.load_state_dict(fitting, strict=False)
    return hit
