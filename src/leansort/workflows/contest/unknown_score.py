"""`leansort score --unknown`: how well a bundle tells what it knows from what it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leansort.contest.score_result import UnknownScore
from leansort.core.bundle import Bundle, BundleMeta
from leansort.core.errors import LeansortError, UserError
from leansort.core.files.bundle_cascade import OF_EACH
from leansort.core.files.bundle_decisions import DEFAULT_METHOD, DISTANCE, LOGIT_METHODS, LogitMethod
from leansort.core.process.console import say
from leansort.core.text.columns import align_columns
from leansort.core.writing.escaping import printable
from leansort.measure.accuracy.cost_score import DecidedImages
from leansort.measure.accuracy.unknowns import MethodScore, score_method
from leansort.measure.engine_selection import engine_choice
from leansort.runtime.autobatch import usable_cores
from leansort.runtime.decisions.novelty import novelty_on, novelty_scores
from leansort.runtime.predictor import Classifier, Prediction, softmax
from leansort.workflows.data.unknown_photos import find_unknown_photos

WHAT = "score --unknown"
# Scores of a cascade: what its two graphs give before the softmax is not on one scale.
_OF_PROBABILITIES: tuple[LogitMethod, ...] = ("max_softmax", "margin", "entropy", "generalized_entropy")
_LEAST = 1e-30  # probability whose logarithm is still told apart


@dataclass(frozen=True)
class NoveltyOutputs:
    """What a bundle gives for images, as far as novelty goes.

    Attributes:
        logits: float32 (n, classes), of those that can be read.
        distances: float64 (n,) of features, where the graph gives them.
        faults: a line for each of the others.
        read: indices of the n among the images.
    """

    logits: npt.NDArray[np.float32]
    distances: npt.NDArray[np.float64] | None
    faults: tuple[str, ...]
    read: tuple[int, ...]


@dataclass(frozen=True)
class ScoredUnknown:
    """What running a bundle on unknown photos came to.

    Attributes:
        score: how well they are told.
        decided: what decisions about them rest on.
    """

    score: UnknownScore
    decided: DecidedImages


def score_unknown(
    bundle: Bundle, known: Mapping[str, Path], truth: Sequence[int], folder: Path, more: Mapping[Path, str], engine: str
) -> ScoredUnknown:
    """Measure every score of novelty on known images and a folder of unknown ones.

    Args:
        bundle: the opened bundle.
        known: files of the known images by name.
        truth: their class indices.
        folder: of the unknown photos.
        more: further known photos with their hashes, as in a manifest; what shows the same is not unknown.
        engine: as for `score`.

    Raises:
        UserError: there is no such folder, it holds no photo that can be read, or none but known ones.
    """
    files = {**dict.fromkeys(known.values(), ""), **more}
    photos = find_unknown_photos(folder, files, bundle.meta.labels, WHAT)
    with engine_choice.classifier_of(bundle, engine, say=say) as classifier:
        ours, theirs = (novelty_outputs(classifier, files) for files in (list(known.values()), photos.files))
    if not ours.read or not theirs.read:
        raise UserError(f"{WHAT}: no photo of {folder} can be read, first {theirs.faults[0]}")
    right = ours.logits.argmax(1) == np.asarray(truth)[list(ours.read)]
    temperature, scale = bundle.meta.temperature, bundle.meta.novelty
    rows = []
    for method in _OF_PROBABILITIES if bundle.stages else LOGIT_METHODS:
        known_n, unknown_n = (novelty_scores(item.logits, method, temperature) for item in (ours, theirs))
        rows.append(score_method(method, known_n, unknown_n, right))
    if ours.distances is not None and theirs.distances is not None:
        rows.append(score_method(OF_EACH if bundle.stages else DISTANCE, ours.distances, theirs.distances, right))
    own = scale.method if scale else _OF_PROBABILITIES[0] if bundle.stages else DEFAULT_METHOD
    score = UnknownScore(
        folder=str(folder),
        known=len(ours.read),
        unknown=len(theirs.read),
        method=own,
        fitted=scale is not None,
        methods=tuple(sorted(rows, key=lambda row: -row.auroc.value)),
        notes=(*photos.notes, *(f"unknown: left out, {printable(line)}" for line in theirs.faults)),
    )
    return ScoredUnknown(score, _decided(theirs, bundle.meta))


def novelty_outputs(classifier: Classifier, files: Sequence[Path]) -> NoveltyOutputs:
    """Run a bundle on images, one a call, as a robot does."""

    def run(path: Path) -> npt.NDArray[np.float64] | str:
        try:
            if classifier.bundle.stages:
                return _cascade_row(classifier.predict(path), path)
            logits, distance = classifier.engine.run_with_distance(classifier.preprocess(path)[None])
        except LeansortError as error:
            return f"{path}: {error}"
        row = np.concatenate([logits[0], [] if distance is None else distance[0]]).astype(np.float64)
        return row if np.isfinite(row).all() else f"{path}: the network gives no finite numbers for this picture"

    with ThreadPoolExecutor(usable_cores()) as pool:
        results = list(pool.map(run, files))
    classes = len(classifier.bundle.meta.labels)
    rows = [row for row in results if not isinstance(row, str)]
    whole = np.stack(rows) if rows else np.zeros((0, classes))
    return NoveltyOutputs(
        logits=whole[:, :classes].astype(np.float32),
        distances=whole[:, classes] if whole.shape[1] > classes else None,
        faults=tuple(row for row in results if isinstance(row, str)),
        read=tuple(at for at, row in enumerate(results) if not isinstance(row, str)),
    )


def _cascade_row(prediction: Prediction, path: Path) -> npt.NDArray[np.float64] | str:
    """Logarithms of the probabilities and the novelty of whichever graph of a cascade answered."""
    if prediction.error:
        return f"{path}: {prediction.error}"
    logits = np.log(np.maximum(prediction.probabilities, _LEAST))
    return np.append(logits, [] if prediction.novelty is None else prediction.novelty)


def _decided(outputs: NoveltyOutputs, meta: BundleMeta) -> DecidedImages:
    scale, known = meta.novelty, tuple[bool | None, ...]([None] * len(outputs.logits))
    if scale:
        values = outputs.distances
        if scale.method != DISTANCE and scale.method != OF_EACH:
            values = novelty_scores(outputs.logits, scale.method, meta.temperature)
        if values is not None:
            known = tuple(novelty_on(scale, value) <= 1.0 for value in values.tolist())
    probabilities = softmax(outputs.logits.astype(np.float64) / meta.temperature)
    return DecidedImages(probabilities, known, np.full(len(known), len(meta.labels), np.int64))


def unknown_table(scored: UnknownScore) -> str:
    """As lines of text."""
    rows = [["novelty by", "AUROC (95 %)", "unknown taken for known (95 %)", *_heads(scored.methods[0])]]
    for row in scored.methods:
        rows.append([
            f"{row.method}{' *' * (row.method == scored.method)}",
            f"{row.auroc.value:.3f} ({row.auroc.low:.3f} – {row.auroc.high:.3f})",
            f"{row.fpr.value:.1%} ({row.fpr.low:.1%} – {row.fpr.high:.1%})",
            *(f"{at.accuracy:.3f}" for at in row.curve),
        ])  # fmt: skip
    own = (
        "* the bundle's own" if scored.fitted else "* the default; this bundle has no scale of novelty, export it anew"
    )
    return "\n".join([
        f"unknown: {scored.unknown:,} photos of {printable(scored.folder)} against {scored.known:,} known ones; "
        f"taken for known where {scored.methods[0].recall:.0%} of the known ones are",
        align_columns(rows, left=1),
        f"{own}; last columns: right labels among all accepted photos, where so many of the known ones are accepted",
        *scored.notes,
    ])  # fmt: skip


def _heads(row: MethodScore) -> list[str]:
    return [f"at {at.coverage:.0%}" for at in row.curve]
