"""`leansort export`: a trained model in, a verified bundle out."""

from __future__ import annotations

from pathlib import Path

from leansort.arch.trained import TrainedModel
from leansort.core.bundle import Bundle
from leansort.core.manifest import Manifest
from leansort.export import parity
from leansort.export.onnx import to_bundle
from leansort.workflows.progress import say
from leansort.workflows.train import crops


def export_bundle(
    model: TrainedModel, manifest: Manifest, out: Path, *, name: str = ""
) -> tuple[Bundle, parity.Parity]:
    """Export a model, prove on the val crops that the bundle says the same, and only then write it.

    Raises:
        UserError: the manifest's labels differ from the model's.
        LeansortError: the bundle differs from the network; nothing is written.
    """
    model.labels.require_same(manifest.labels, "the model", "the manifest")
    bundle = to_bundle(model, name=name)
    val = crops(manifest, "val", model.preprocess, out.parent / "cache")
    same = parity.check(model, bundle, val.pixels)
    say(f"export: parity holds on {same.crops} val crops (labels agree {same.agreement:.2%}, gap {same.gap:.1e})")
    bundle.save(out)
    return bundle, same
