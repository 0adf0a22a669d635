"""What a bundle tells of itself, for its card; needs no extra."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from leansort.core.bundle import Bundle
from leansort.core.files.bundle_card import PretrainedWeights
from leansort.core.run_folder import ModelFolder
from leansort.core.writing import atomic_io
from leansort.report.model_card_page import ModelFacts


def facts_of_bundle(bundle: Bundle) -> ModelFacts:
    """Return the facts of a bundle."""
    meta, content = bundle.meta, bundle.to_bytes()
    whole = part(meta.provenance, "half").get("weights", "32-bit")
    kind = part(meta.provenance, "quantized").get("weights", whole)
    return ModelFacts(
        base=base_of(part(meta.provenance, "spec")),
        parameters=meta.parameters,
        macs=meta.macs,
        preprocess=meta.preprocess,
        labels=meta.labels,
        weights=f"{len(content) / 1e6:.1f} MB, {kind}, {ModelFolder(Path()).bundle} ({bundle.format})",
        data=data_of(meta.provenance),
        versions=versions_of(meta.provenance),
        seed=seed_of(meta.provenance),
        packs=packs_of(meta.provenance),
        sha256=atomic_io.sha256(content),
        confidence=f"temperature {meta.temperature:.3g}, accepted from a probability of {meta.reject_below:.3g} on"
        + (f"; unknown by {meta.novelty.method}, {meta.novelty.recall:.0%} of val known" if meta.novelty else ""),
    )


def base_of(spec: Mapping[str, object]) -> str:
    """Return the backbone of a spec, and its width where that is not 1."""
    width = spec.get("width")
    tail = f", width {width:g}" if isinstance(width, float) and width != 1 else ""
    return f"{spec.get('base', 'unknown')}{tail}"


def data_of(provenance: Mapping[str, object]) -> str:
    """Return the digest of the manifest that a network was trained on."""
    return str(provenance.get("data", "unknown"))


def seed_of(provenance: Mapping[str, object]) -> str:
    """Return the seed of a network's training."""
    return str(provenance.get("seed", ""))


def versions_of(provenance: Mapping[str, object]) -> str:
    """Return the versions of leansort and PyTorch that trained."""
    listed = part(provenance, "versions")
    return ", ".join(f"{key} {listed[key]}" for key in ("leansort", "torch") if key in listed)


def packs_of(provenance: Mapping[str, object]) -> tuple[PretrainedWeights, ...]:
    """Return the weight packs that a network keeps a record of, itself or by way of other networks."""
    listed = provenance.get("packs")
    found = []
    for record in listed if isinstance(listed, list | tuple) else ():
        known = ("used", "licence", "source", "data", "sha256")
        try:
            named = {key: record[key] for key in known if key in record}
            found.append(PretrainedWeights.model_validate({"name": f"pack:{record['pack']}", **named}))
        except (ValidationError, KeyError, TypeError):  # a provenance may hold anything
            continue
    return tuple(found)


def part(provenance: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return an object in a provenance, where anything may stand; empty where there is none."""
    result = provenance.get(name)
    return result if isinstance(result, dict) else {}
