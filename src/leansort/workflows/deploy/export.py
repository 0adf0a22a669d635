"""`leansort export`: a trained model, or a bundle of another format, in, a verified bundle out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from leansort.arch.trained_model import TrainedModel
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import LeansortError, UserError
from leansort.core.files.typed_result import TypedResult
from leansort.core.manifest import Manifest
from leansort.core.preprocess import Preprocess
from leansort.core.process.console import say
from leansort.core.run_folder import RunFolder
from leansort.data.loading.crops import Crops
from leansort.data.loading.decoded_cache import read_unchanged
from leansort.export import parity
from leansort.export.distance_graph import MOST_CROPS, add_distance
from leansort.export.formats import convert_to_format, export_to_format
from leansort.export.parity import Parity
from leansort.measure.accuracy.calibration import Calibration
from leansort.measure.device.device_timing import logits_on_device
from leansort.runtime.shipped_models import SUFFIX, find_model
from leansort.workflows.data.unknown_photos import load_unknown_crops
from leansort.workflows.deploy.bundle_calibration import calibrate_bundle, calibration_sentence, sizes_of
from leansort.workflows.deploy.reference_photos import add_reference, read_reference
from leansort.workflows.training.train import load_crops

UNKNOWN, REFERENCE = "export: unknown", "export: reference"
CONVERTED = ("ncnn", "litert")  # formats that keep the distance of the ONNX graph that they are converted from


class ExportResult(TypedResult):
    """A bundle that was written.

    Attributes:
        bundle: its file.
        digest: of its content.
        parameters: weights of the network.
        macs: multiply-adds for one picture.
        size_bytes: of the file.
        parity: how close the bundle comes to the network on the val crops.
        calibration: temperature and threshold, and what they come to on the val crops; None of a bundle that was
            converted, which keeps its own.
    """

    bundle: Path
    digest: str
    parameters: int
    macs: int
    size_bytes: int
    parity: Parity
    calibration: Calibration | None = None

    def headline(self) -> dict[str, str]:
        """Return the file with its size, the weights, and how close it comes to the network."""
        return {
            "bundle": str(self.bundle),
            "size": f"{self.size_bytes / 1e6:.2f} MB",
            "parameters": f"{self.parameters:,}",
            "labels that agree with its source's": f"{self.parity.agreement:.2%} of {self.parity.crops:,} val crops",
            "calibration": calibration_sentence(self.calibration) if self.calibration else "that of the other bundle",
        }

    def summary(self) -> str:
        """Return one line about the file."""
        size = f"{self.size_bytes / 1e6:.2f} MB, {self.parameters:,} parameters"
        return f"{self.bundle}: {size}, digest {self.digest}"


def export_bundle(
    model: TrainedModel,
    manifest: Manifest,
    out: Path,
    *,
    name: str = "",
    graph_format: str = "onnx",
    target_error: float | None = None,
    unknown: Path | None = None,
    unknown_share: float | None = None,
    device: str = "",
    reference: Path | None = None,
) -> ExportResult:
    """Export a model, prove on the val crops that the bundle says the same, calibrate it, and only then write it.

    Args:
        model: the network.
        manifest: whose val crops prove and calibrate.
        out: the bundle to write.
        name: of the model, for people.
        graph_format: `onnx`, `openvino`, `torch`, `ncnn` or `litert`.
        target_error: largest fraction of errors among accepted ones; None accepts everything.
        unknown: folder of photos of none of the classes, each of which is an error if it is accepted.
        unknown_share: fraction of unknown things among all that the robot will see, above 0 and below 1; None: as many
            as `unknown` holds beside the val crops.
        device: address of an agent; the bundle must say the same there, by the engine that suits it.
        reference: labelled photos that the network was not trained on; what a watch compares with is taken from them in
            place of the val crops.

    Raises:
        UserError: the manifest's labels differ from the model's, there is no such format, `unknown` is given without
            `target_error` or `unknown_share` without `unknown`, or photos of `unknown` or `reference` cannot be used.
        MissingExtraError: the format's library is not installed.
        LeansortError: the bundle differs from the network; nothing is written.
    """
    model.labels.require_same(manifest.labels, "the model", "the manifest")
    if unknown is not None and target_error is None:
        raise UserError(f"{UNKNOWN}: has no effect without a target error, whose threshold it changes")
    if unknown_share is not None and unknown is None:
        raise UserError("export: unknown share: has no effect without a folder of unknown photos")
    if unknown_share is not None and not 0 < unknown_share < 1:
        raise UserError(f"export: unknown share: got {unknown_share:g}, need a fraction above 0 and below 1")
    compared = None if reference is None else read_reference(reference, model.labels, REFERENCE)
    foreign = load_unknown_crops(unknown, unknown_share, manifest, model.preprocess, UNKNOWN)
    bundle = export_to_format(model, "onnx" if graph_format in CONVERTED else graph_format, name=name)
    val = load_crops(manifest, "val", model.preprocess, RunFolder(out.parent).cache)
    same = parity.check_parity(model, bundle, val.pixels)
    train = _train_crops(manifest, model.preprocess)
    if graph_format in CONVERTED:  # only now, for its distance is fitted on the ONNX graph
        whole, train = (add_distance(bundle, train) if train else None) or bundle, None
        bundle = convert_to_format(whole, graph_format)
        parity.check_conversion(whole, bundle, val.pixels)
        same = parity.check_parity(model, bundle, val.pixels)
    say(f"export: parity holds on {same.crops} val crops (labels agree {same.agreement:.2%}, gap {same.gap:.1e})")
    if device:
        there = parity.compare_logits(
            val.pixels, model, logits_on_device(device, bundle, "", val.pixels), bundle, device
        )
        say(f"export: and on {device} (labels agree {there.agreement:.2%}, gap {there.gap:.1e})")
    bundle, result = calibrate_bundle(bundle, val, target_error, train, foreign, sizes_of(manifest))
    say(f"export: {calibration_sentence(result)}")
    if compared is not None:
        bundle = add_reference(bundle, compared, what=REFERENCE)
        say(f"export: a watch compares with the {len(compared.index):,} photos of {reference}")
    return _written(bundle, out, same, result)


def _written(bundle: Bundle, out: Path, same: Parity, calibration: Calibration | None = None) -> ExportResult:
    """Write a bundle that has passed the gate."""
    bundle.save(out)
    return ExportResult(
        bundle=out,
        digest=bundle.digest,
        parameters=bundle.meta.parameters,
        macs=bundle.meta.macs,
        size_bytes=out.stat().st_size,
        parity=same,
        calibration=calibration,
    )


def _train_crops(manifest: Manifest, preprocess: Preprocess) -> Crops | None:
    """Some train crops, evenly taken, that tell what the network knows; None where they cannot be read any more."""
    rows = manifest.split("train")
    rows = rows[:: max(1, -(-len(rows) // MOST_CROPS))]
    if not rows:
        return None
    x_bhwc = np.empty((len(rows), preprocess.size, preprocess.size, 3), np.uint8)
    try:
        for at, row in enumerate(rows):
            x_bhwc[at] = preprocess(read_unchanged(manifest.path(row), row.hash))
    except LeansortError as error:
        say(f"warning: {error}; novelty is told by the logits, since the train crops cannot be read")
        return None
    return Crops(x_bhwc, [row.label for row in rows])


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
        graph_format: `openvino`, `ncnn` or `litert`.

    Raises:
        UserError: the bundle is of another format or of that one already, the format cannot hold it, or the manifest's
            labels differ from its.
        MissingExtraError: the format's library is not installed.
        LeansortError: the new bundle says something else; nothing is written.
    """
    source = bundles.load(path)
    if graph_format == source.format:
        raise UserError(f"export: {path} is in the {graph_format} format already")
    if source.stages:
        raise UserError(
            f"export: {path} is a cascade of two graphs; convert its two bundles and make a cascade of these"
        )
    if source.format != "onnx":
        raise UserError(f"export: {path} is in the {source.format} format; bundles are converted from the onnx format")
    source.labels.require_same(manifest.labels, "the bundle", "the manifest")
    made = convert_to_format(source, graph_format)
    val = load_crops(manifest, "val", source.meta.preprocess, RunFolder(out.parent).cache)
    same = parity.check_conversion(source, made, np.asarray(val.pixels))
    say(f"export: parity holds on {same.crops} val crops (labels agree {same.agreement:.2%}, gap {same.gap:.1e})")
    return _written(made, out, same)
