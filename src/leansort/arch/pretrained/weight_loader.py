"""Pretrained weights for our networks: found by name or path, matched, copied. No pickle is read here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
from torch import Tensor, nn

from leansort.arch.pretrained import hub, matching, pack_cache, weight_pack
from leansort.arch.pretrained.matching import WeightMatch
from leansort.core.errors import IntegrityError, UserError, one_line
from leansort.core.run_folder import ModelFolder
from leansort.core.text.text_files import parse_json

PICKLES = (".pth", ".pt", ".bin", ".ckpt", ".pkl", ".pickle", ".tar")
FORMS = "a .safetensors file, pack:NAME, timm:NAME[.TAG], hf:OWNER/NAME[@REVISION] or torchvision:NAME"


def is_pickle(source: str) -> bool:
    """Whether a source is a pickle, which only the conversion reads."""
    return source.startswith("torchvision:") or (source.lower().endswith(PICKLES) and not weight_pack.is_pack(source))


def read_weights(source: str) -> dict[str, Tensor]:
    """Read weights.

    Args:
        source: a safetensors file or the folder of a trained model; `pack:NAME`; `timm:NAME`, with or without a tag;
            or `hf:OWNER/NAME`, with or without `@REVISION`.

    Returns:
        Tensors on the CPU: in the network's order where that is known, else by the alphabet.

    Raises:
        UserError: no such file, pack, model or repository, the pack is not installed, the hub cannot be reached, or it
            is a pickle.
        IntegrityError: the file is damaged, or not the one that the pack was written for.
        MissingExtraError: what it takes is not installed.
    """
    kind, _, name = source.partition(":")
    if weight_pack.is_pack(source):
        return pack_cache.read_pack(source)
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


def compare_weights(
    own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], source: str, names: Mapping[str, str] | None = None
) -> WeightMatch:
    """Match weights that were read to a network's, however little fits.

    A pack's tensors bear the names of its own backbone. In another network these names stand for other layers, so
    there the order and shapes decide.

    Args:
        own: the network's state, in its order.
        theirs: what `read_weights` gave for `source`.
        source: where they come from.
        names: their names or beginnings of names, and what each is called here.

    Raises:
        UserError: as `matching.compare`.
    """
    if not weight_pack.is_pack(source) or names or own.keys() == theirs.keys():
        return matching.compare(own, theirs, names)
    prefix = source.removeprefix(weight_pack.PREFIX)
    hit = matching.compare(own, {f"{prefix}/{name}": tensor for name, tensor in theirs.items()})
    return hit.with_their_names(lambda name: name.removeprefix(f"{prefix}/"))


def require_fit(weight_match: WeightMatch, source: str, base: str) -> WeightMatch:
    """Return the match.

    Args:
        weight_match: of weights and a network.
        source: where the weights come from.
        base: of the network.

    Raises:
        UserError: it takes over less than half, or the weights are a pack for another network and do not serve all of
            this one; the line says which network the pack is made for.
    """
    if not weight_pack.is_pack(source):
        return matching.require_match(weight_match)
    made_for, fits = weight_pack.find_pack(source).facts.backbone, f"{weight_match.fraction:.1%} of its parameters fit"
    if weight_match.fraction == 1.0 or (base == made_for and weight_match.fraction >= matching.LEAST):
        return weight_match
    if base == made_for:
        raise UserError(f"weights: {source} is made for {base} at width and depth 1; {fits}, need {matching.LEAST:.0%}")
    others = ", ".join(weight_pack.packs_for(base))
    raise UserError(
        f"weights: {source} is made for {made_for}, not for {base}; {fits}; "
        + (f"for {base} there is {others}" if others else f"set arch.base: {made_for}")
        + f", or take what fits from a file: leansort arch pretrained {source} --out NEW.safetensors"
    )


def load_pretrained(
    network: nn.Module, source: str, names: Mapping[str, str] | None = None, *, base: str = "unnamed"
) -> WeightMatch:
    """Copy pretrained weights into a network where they fit; all that fits or, on an error, none.

    Args:
        network: changed in place.
        source: as `read_weights` takes it.
        names: their names or beginnings of names, and what each is called here.
        base: of the network, for errors.

    Returns:
        What went where.

    Raises:
        UserError: as `read_weights`, or less than half fits.
        IntegrityError: the file is damaged or holds values that are not finite.
    """
    theirs, own = read_weights(source), network.state_dict()
    hit = require_fit(compare_weights(own, theirs, source, names), source, base)
    for pair in hit.pairs:
        if not theirs[pair.theirs].float().isfinite().all():
            raise IntegrityError(f"weights: {source}: {pair.theirs} holds values that are not finite")
    fitting = {pair.own: theirs[pair.theirs].reshape(own[pair.own].shape) for pair in hit.pairs}
    network.load_state_dict(fitting, strict=False)
    return hit
