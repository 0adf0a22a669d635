"""A bundle's confidences made to mean something, on val, as the robot's engine gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat

import numpy as np

from leansort.core.bundle import Bundle
from leansort.core.manifest import Manifest
from leansort.data.loading.crops import Crops
from leansort.export.distance_graph import add_distance
from leansort.measure import engine_trial
from leansort.measure.accuracy.calibration import Calibration, UnknownLogits, calibrate
from leansort.measure.accuracy.reference_fit import fit_reference
from leansort.runtime import engine as engines
from leansort.runtime.drift.image_statistics import image_statistics, longer_side
from leansort.runtime.predictor import Classifier
from leansort.workflows.data.unknown_photos import UnknownCrops


def calibrate_bundle(
    bundle: Bundle,
    val: Crops,
    target_error: float | None = None,
    train: Crops | None = None,
    unknown: UnknownCrops | None = None,
    sizes: Sequence[int | None] | None = None,
) -> tuple[Bundle, Calibration]:
    """Fit a bundle's temperature, threshold and scale of novelty, and keep what val looks like, to tell drift by.

    Args:
        bundle: its own are replaced.
        val: crops that nothing was trained on.
        target_error: largest fraction of errors among accepted ones; None accepts everything.
        train: crops that the network was trained on, whose features tell what it knows; without them, and where the
            graph has no features to take, novelty is told by the logits.
        unknown: photos of none of the classes: `target_error` counts each that is accepted, and what is not known is
            rejected if more is accepted with it; None counts wrong labels alone.
        sizes: longer sides of val's photos in pixels, where they are to be watched; see `sizes_of`.

    Returns:
        The bundle with them, and what they come to on val.
    """
    bundle = (add_distance(bundle, train) if train else None) or bundle
    engine = engine_trial.load(bundle)
    logits, distances = engines.compute_with_distances(engine, val.pixels)
    foreign = None
    if unknown:
        foreign = UnknownLogits(*engines.compute_with_distances(engine, unknown.pixels), unknown.share)
    result = calibrate(logits, np.asarray(val.labels, np.int64), target_error, distances, foreign)
    fitted = {"temperature": result.temperature, "reject_below": result.reject_below, "novelty": result.novelty}
    bundle = replace(bundle, meta=bundle.meta.model_copy(update=fitted))
    looks = [image_statistics(x_hwc, size) for x_hwc, size in zip(val.pixels, sizes or repeat(None), strict=False)]
    told = Classifier(bundle, engine).interpret(logits, distances)
    predictions = [replace(item, statistics=look) for item, look in zip(told, looks, strict=True)]
    reference = fit_reference(predictions, val.labels, bundle.meta.labels)
    return replace(bundle, meta=bundle.meta.model_copy(update={"reference": reference})), result


def sizes_of(manifest: Manifest, split: str = "val") -> list[int | None]:
    """Longer side of each crop of a split in pixels, by its header; None where that cannot be read."""
    return [longer_side(manifest.path(row)) for row in manifest.split(split)]


def calibration_sentence(calibration: Calibration) -> str:
    """What was found, in one line."""
    before, after = calibration.ece_before, calibration.ece_after
    text = f"temperature {calibration.temperature:.2f}, calibration error {before:.3f} before, {after:.3f} after"
    if calibration.novelty and calibration.known is not None:
        text += f"; {calibration.known:.1%} of val crops known by {calibration.novelty.method}"
    if calibration.target_error is None:
        return text
    alone = " if known" if calibration.novelty and calibration.novelty.reject else ""
    text += (
        f"; accepted{alone} from probability {calibration.reject_below:.3f} on: {calibration.coverage:.1%} of val crops"
    )
    met = "" if calibration.error <= calibration.target_error else ", which no threshold meets"
    target = f"(target: at most {calibration.target_error:.1%}{met})"
    if calibration.unknown_share is None or calibration.unknown_accepted is None:
        return f"{text}, {calibration.error:.1%} of them wrong {target}"
    return (
        f"{text} and {calibration.unknown_accepted:.1%} of {calibration.unknown:,} unknown photos; with these as "
        f"{calibration.unknown_share:.1%} of all, {calibration.error:.1%} of what is accepted are errors {target}"
    )
