"""Photos and evidence as small JPEGs that a page can hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from leansort.core.errors import LeansortError
from leansort.core.preprocess import Preprocess
from leansort.measure.explanation.occlusion import CELLS, EvidenceMap, occlusion_map
from leansort.report.parts.evidence_content import EvidencePicture
from leansort.runtime.predictor import Classifier

Image = npt.NDArray[np.uint8]
LARGE = Preprocess(size=144, fit="pad", fill=240)
SMALL = Preprocess(size=96, fit="pad", fill=240)
_ORANGE = np.array([255, 122, 0], np.float64)
_COVER = 0.72  # of the picture where the evidence is strongest
_ROWS = ("upper", "middle", "lower")
_COLUMNS = ("left", "centre", "right")


def thumbnail(path: Path, shape: Preprocess = LARGE, quality: int = 80) -> bytes:
    """A photo as a small JPEG; empty where it cannot be read.

    Args:
        path: of the photo.
        shape: its side, and how it is fitted in.
        quality: of the JPEG, 1 to 100.
    """
    try:
        return _jpeg(shape(path), quality)
    except LeansortError:
        return b""


def evidence_pictures(classifier: Classifier, photos: Sequence[tuple[str, Path]]) -> dict[str, EvidencePicture]:
    """Evidence for what a classifier takes each photo for; photos that cannot be read have none.

    Args:
        classifier: runs the bundle's graph.
        photos: (name, path) of each.
    """
    found = {name: _evidence(classifier, path) for name, path in photos}
    return {name: picture for name, picture in found.items() if picture is not None}


def _evidence(classifier: Classifier, path: Path) -> EvidencePicture | None:
    meta = classifier.bundle.meta
    try:
        x_hwc = classifier.preprocess(path)
    except LeansortError:
        return None
    label = int(np.argmax(classifier.engine.run(np.ascontiguousarray(x_hwc[None]))[0]))
    found = occlusion_map(classifier.engine.run, x_hwc, label, meta.temperature)
    if found is None:
        return None
    return EvidencePicture(_jpeg(overlay(x_hwc, found)), evidence_words(meta.labels[label], found))


def overlay(x_hwc: Image, found: EvidenceMap) -> Image:
    """The picture in grey with its evidence in orange, as large as a thumbnail."""
    side = (LARGE.size, LARGE.size)
    grey = cv2.cvtColor(cv2.resize(x_hwc, side, interpolation=cv2.INTER_LINEAR), cv2.COLOR_RGB2GRAY)
    share = cv2.resize(found.shares, side, interpolation=cv2.INTER_LINEAR)[:, :, None] * _COVER
    return np.asarray((grey[:, :, None] * (1 - share) + _ORANGE * share).round(), np.uint8)


def evidence_words(label: str, found: EvidenceMap) -> str:
    """A map in words, such as `evidence for glass, most in the upper left: covering it lowers 0.97 to 0.41`."""
    if not found.shares.any():
        return f"evidence for {label}: no part of the picture alone matters, {found.whole:.2f} under any cover"
    row, column = found.strongest
    third = CELLS / 3
    where = f"{_ROWS[int(row // third)]} {_COLUMNS[int(column // third)]}"
    return f"evidence for {label}, most in the {where}: covering lowers {found.whole:.2f} to {found.covered:.2f}"


def _jpeg(rgb: Image, quality: int = 80) -> bytes:
    bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
