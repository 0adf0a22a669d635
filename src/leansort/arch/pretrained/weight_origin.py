"""Where weights that a training begins with, or learns from, come from: their digest, and the packs behind them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import safetensors
from pydantic import JsonValue

from leansort.arch.pretrained import weight_pack
from leansort.core import bundle as bundles
from leansort.core.errors import LeansortError
from leansort.core.files.typed_result import JsonObject
from leansort.core.run_folder import ModelFolder
from leansort.core.text.text_files import parse_json
from leansort.core.writing import atomic_io
from leansort.runtime import shipped_models

_HEX = 16


def content_digest(source: str) -> str:
    """Digest of a file, or of the network in a run folder; what is no file here is known by its name.

    A pack is known by its name and the hash of its file.
    """
    if weight_pack.is_pack(source):
        return f"{source}@{weight_pack.find_pack(source).facts.sha256[:_HEX]}"
    path = _file(source)
    return atomic_io.sha256(path.read_bytes())[:_HEX] if path.is_file() else source


def packs_behind(pretrained: Iterable[str] = (), teachers: Iterable[str] = (), known: object = ()) -> list[JsonValue]:
    """The packs that a network learned from, itself or by way of other networks, each once.

    Args:
        pretrained: sources of weights that its training begins with.
        teachers: run folders, networks, bundles or packs that it learns from.
        known: `packs` of the provenance of the network that is trained on.

    Returns:
        A record for each, as `WeightPack.record` makes it.
    """
    records: list[JsonValue] = list(known) if isinstance(known, list | tuple) else []
    for used, sources in (("pretrained", pretrained), ("teacher", teachers)):
        for source in sources:
            records += [record for record in _records(source, used) if record not in records]
    return records


def _records(source: str, used: str) -> list[JsonObject]:
    if weight_pack.is_pack(source):
        return [weight_pack.find_pack(source).record(used)]
    try:
        path = _file(source) if Path(source).exists() else shipped_models.find_bundle(Path(source))
        found = bundles.load(path).meta.provenance if path.suffix == ".leansort" else _header(path)
    except (LeansortError, OSError, safetensors.SafetensorError):  # who loads it says what is wrong with it
        return []
    listed = found.get("packs")
    return (
        [{**record, "used": used} for record in listed if isinstance(record, dict)] if isinstance(listed, list) else []
    )


def _header(path: Path) -> JsonObject:
    """The provenance of a trained network, or what a file of converted weights says of itself."""
    if not path.is_file():
        return {}
    with safetensors.safe_open(path, "pt") as file:
        header = parse_json((file.metadata() or {}).get("leansort", "{}"), "its header")
    known = header.get("provenance", header) if isinstance(header, dict) else {}
    return known if isinstance(known, dict) else {}


def _file(source: str) -> Path:
    path = Path(source)
    return ModelFolder(path).model if path.is_dir() else path
