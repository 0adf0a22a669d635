"""`leansort export` of a bundle: the same bundle in another format, once val has shown that it says the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from leansort.core import bundle as bundles
from leansort.core.errors import UserError
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.run_folder import RunFolder
from leansort.export import parity
from leansort.export.formats import convert_to_format
from leansort.runtime.shipped_models import SUFFIX, find_model
from leansort.workflows.deploy.export import ExportResult
from leansort.workflows.training.train import load_crops


def bundle_to_convert(given: Path) -> Path | None:
    """The bundle that a path is, or that is known by that name where nothing is there; None of a network."""
    if given.suffix == SUFFIX or given.exists():
        return given if given.suffix == SUFFIX else None
    model = find_model(str(given))
    return model.path if model else None


def convert_bundle(path: Path, manifest: Manifest, out: Path, graph_format: str) -> ExportResult:
    """Convert a bundle, prove on the val crops that the new one says the same, and only then write it.

    Names, labels, temperature, thresholds, the scale of novelty, the reference of drift and the card stay as they are.

    Args:
        path: a bundle in the onnx format.
        manifest: whose val crops prove it.
        out: the bundle to write.
        graph_format: `openvino` or `ncnn`.

    Raises:
        UserError: the bundle is of another format or of that one already, the format cannot hold it, or the manifest's
            labels differ from its.
        MissingExtraError: the format's library is not installed.
        LeansortError: the new bundle says something else; nothing is written.
    """
    source = bundles.load(path)
    if graph_format == source.format:
        raise UserError(f"export: {path} is in the {graph_format} format already")
    if source.format != "onnx":
        raise UserError(f"export: {path} is in the {source.format} format; bundles are converted from the onnx format")
    source.labels.require_same(manifest.labels, "the bundle", "the manifest")
    made = convert_to_format(source, graph_format)
    val = load_crops(manifest, "val", source.meta.preprocess, RunFolder(out.parent).cache)
    same = parity.check_conversion(source, made, np.asarray(val.pixels))
    say(f"export: parity holds on {same.crops} val crops (labels agree {same.agreement:.2%}, gap {same.gap:.1e})")
    made.save(out)
    return ExportResult(
        bundle=out,
        digest=made.digest,
        parameters=made.meta.parameters,
        macs=made.meta.macs,
        size_bytes=out.stat().st_size,
        parity=same,
    )
