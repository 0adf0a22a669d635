"""What photos should look like to a bundle, taken from labelled photos in place of val."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.files.bundle_reference import LEAST_PHOTOS
from leansort.core.labels import LabelSet
from leansort.core.process.console import say
from leansort.core.writing.escaping import printable
from leansort.measure.accuracy.ground_truth import GroundTruth, read_ground_truth
from leansort.measure.accuracy.reference_fit import fit_reference
from leansort.measure.engine_selection import engine_choice
from leansort.workflows.deploy.predict import predict_images


def read_reference(photos: Path, labels: LabelSet, what: str) -> GroundTruth:
    """Read which photos a bundle is to be compared with.

    Args:
        photos: a manifest or class folders, whose val photos are taken where they give splits; or a CSV image,label.
        labels: the bundle's.
        what: names the command in messages.

    Raises:
        UserError: the photos cannot be used, have other classes, or are too few.
    """
    truth = read_ground_truth(photos, "val", labels)
    for note in truth.notes:
        say(printable(note))
    if list(truth.labels.names) != list(labels.names):
        raise UserError(
            f"{what}: {photos} has the classes {', '.join(truth.labels.names)}; the bundle {', '.join(labels.names)}"
        )
    if len(truth.index) < LEAST_PHOTOS:
        raise UserError(f"{what}: {photos} has {len(truth.index)} photos, a reference needs {LEAST_PHOTOS}")
    return truth


def add_reference(bundle: Bundle, photos: Path | GroundTruth, engine: str = "", what: str = "watch") -> Bundle:
    """Give a bundle a reference of labelled photos that it was not trained on.

    Args:
        bundle: its own reference, where it has one, is replaced.
        photos: as for `read_reference`, or what it returned.
        engine: as for `predict`.
        what: names the command in messages.

    Raises:
        UserError: the photos cannot be used, or too few of them can be read.
    """
    truth = photos if isinstance(photos, GroundTruth) else read_reference(photos, bundle.labels, what)
    with engine_choice.classifier_of(bundle, engine, say=say, statistics=True) as classifier:
        files = [truth.files[name] for name in truth.index]
        predictions = [prediction for _, prediction in predict_images(classifier, files)]
    unread = sum(bool(prediction.error) for prediction in predictions)
    if unread:
        say(f"{what}: {unread:,} of {len(predictions):,} reference photos cannot be read and are left out")
    reference = fit_reference(predictions, list(truth.index.values()), bundle.meta.labels)
    if reference is None:
        raise UserError(
            f"{what}: {truth.where} has {len(predictions) - unread} photos that can be read, a reference needs "
            f"{LEAST_PHOTOS}"
        )
    return replace(bundle, meta=bundle.meta.model_copy(update={"reference": reference}))
