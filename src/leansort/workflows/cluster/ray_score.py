"""`leansort score --ray`: the predictions of a cluster, held against the ground truth like those of one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from leansort.contest.submission_file import Submission
from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.manifest import duplicates
from leansort.measure.accuracy.image_names import image_names
from leansort.runtime.named_predictions import NamedPrediction
from leansort.workflows.cluster.ray_predict import classify_on_cluster
from leansort.workflows.contest.submit import ClassifiedPictures, process_seconds


def classifier_on_cluster(address: str, out: Path) -> Callable[[Bundle, Sequence[Path], str], ClassifiedPictures]:
    """Return what classifies photos in place of `submit.classify_pictures`; see `ray_predict.classify_on_cluster`.

    Args:
        address: of the cluster, as for `predict_with_ray`.
        out: local folder for the partitions.
    """

    def classify(bundle: Bundle, pictures: Sequence[Path], engine: str) -> ClassifiedPictures:
        names = image_names(pictures)
        if doubled := duplicates(names):
            raise UserError(f"score --ray: {doubled[0]} is named twice")
        started = time.perf_counter()
        rows = {row.image: row for row in classify_on_cluster(bundle, pictures, out, address, engine=engine).rows}
        made = [NamedPrediction(name, rows[str(path)].prediction) for name, path in zip(names, pictures, strict=True)]
        labels = {item.image: item.prediction.label or bundle.meta.labels[0] for item in made}
        submission = Submission(labels, process_seconds(), bundle.meta.macs, time.perf_counter() - started)
        faults = sorted(f"{path}: {rows[str(path)].error}" for path in pictures if rows[str(path)].error)
        return ClassifiedPictures(submission, tuple(made), tuple(faults))

    return classify
