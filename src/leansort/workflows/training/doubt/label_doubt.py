"""`leansort data doubt`: labels ranked by how little predictions that have not seen them agree."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from leansort.core.errors import UserError
from leansort.core.manifest import SPLITS, Manifest, Row
from leansort.core.process.console import say
from leansort.core.process.distributed import is_distributed
from leansort.core.run_folder import RunFolder
from leansort.core.writing import atomic_io
from leansort.data.importing.class_selection import require_learnable
from leansort.data.importing.corrections import read_corrections
from leansort.data.quality.confident_learning import LabelDoubts, doubt_labels
from leansort.recipe.data_section import keep_classes
from leansort.recipe.schema import Recipe
from leansort.report.review.doubt_page import DoubtPage, DoubtTile, render
from leansort.train.linear_probe.feature_cache import Features
from leansort.train.linear_probe.logistic_regression import standardize
from leansort.train.linear_probe.out_of_fold import predict_out_of_fold
from leansort.workflows.data.check import small_picture
from leansort.workflows.training.doubt.doubt_result import (
    DoubtfulLabel,
    DoubtResult,
    FlaggedPair,
    corrections_csv,
    table_csv,
)
from leansort.workflows.training.quick.probe_network import ProbeNetwork, build_probe_network
from leansort.workflows.training.quick.quick_probe import FOLDS, SplitFeatures, folds_of, probe_data
from leansort.workflows.training.quick.stage_clock import StageClock

_PER_THREAD = 2000  # photos
TOP = 100  # photos on the page and in the corrections file


@dataclass(frozen=True)
class JudgedLabels:
    """Labels and what out-of-fold predictions say of them.

    Attributes:
        doubts: over the judged photos.
        judged: index of each of them among all photos.
        p_nc: float64 (judged, classes) probabilities.
        folds: number of folds.
        penalty: of the linear classifiers.
    """

    doubts: LabelDoubts
    judged: Sequence[int]
    p_nc: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    folds: int
    penalty: float


def judge_labels(features_nf: Features, rows: Sequence[Row], classes: int, seed: int, folds: int) -> JudgedLabels:
    """Judge labels by predictions of classifiers that have not seen them.

    Args:
        features_nf: float32 (n, f), a row for each photo.
        rows: the photos.
        classes: number of classes.
        seed: of the folds.
        folds: number of them, stratified by class; photos of one group are in one fold.

    Raises:
        UserError: fewer than two groups of photos can be held out.
    """
    # Splits play no part: each photo, also of val and test, is judged by all the others.
    joined = [replace(row, split="train") for row in rows]
    labels_n = torch.tensor([row.label for row in rows])
    counts = torch.bincount(labels_n, minlength=classes).tolist()
    folds_n = folds_of(joined, counts, seed, folds)
    (x_nf,) = standardize(torch.from_numpy(features_nf))
    predicted = predict_out_of_fold(x_nf, labels_n, _groups(rows), folds_n, classes)
    judged = torch.nonzero(folds_n >= 0)[:, 0]
    p_nc = predicted.p_nc[judged].numpy()
    doubts = doubt_labels(p_nc, labels_n[judged].numpy())
    return JudgedLabels(doubts, judged.tolist(), p_nc, int(folds_n.max()) + 1, predicted.penalty)


@contextmanager
def _fewer_threads(photos: int) -> Iterator[None]:
    """Compute with a thread for so many photos: more of them wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, photos // _PER_THREAD)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _groups(rows: Sequence[Row]) -> Tensor:
    numbers: dict[str, int] = {}
    return torch.tensor([numbers.setdefault(row.group, len(numbers)) for row in rows])


def doubt(
    recipe: Recipe,
    out: Path,
    *,
    manifest: Path | None = None,
    cache: Path | None = None,
    folds: int = FOLDS,
    top: int = TOP,
) -> DoubtResult:
    """Rank all labels of a recipe's data by doubt; write the table, the page and a corrections file to be filled in.

    Args:
        recipe: the resolved recipe; without pretrained weights in it a network that has some stands in for its own.
        out: the folder; gets the data, unless they are kept there unchanged, and what is written.
        manifest: other data, imported before.
        cache: folder of the features; None: `cache` in `out`.
        folds: number of folds, at least 2.
        top: number of photos on the page and in the corrections file.

    Raises:
        UserError: the data cannot be used, or the network or its weights cannot be had.
    """
    if is_distributed():
        raise UserError("data doubt: runs in one process; start it without torchrun")
    torch.set_num_threads(recipe.train.threads or len(os.sched_getaffinity(0)))
    clock, folder = StageClock(), RunFolder(out)
    with clock.measure("import"):
        data = probe_data(recipe, out, manifest)
        require_learnable(data, keep_classes(recipe.data))
    with clock.measure("network"):
        network = build_probe_network(recipe, len(data.labels))
    features = SplitFeatures(data, network, cache or folder.cache, clock)
    splits = [split for split in SPLITS if any(data.counts(split))]
    rows = [row for split in splits for row in data.split(split)]
    x_nf = np.concatenate([features(split) for split in splits])
    with clock.measure("fit"), _fewer_threads(len(rows)):
        judged = judge_labels(x_nf, rows, len(data.labels), recipe.seed, folds)
    ranked = _ranked(rows, data.labels.names, judged)
    with clock.measure("page"):
        kept = _write(folder, data, rows, judged, ranked, top)
    result = _result(folder, data, rows, judged, ranked[:top], network, clock, cached=features.cached, kept=kept)
    result = result.model_copy(update={"features": x_nf.shape[1]})
    folder.doubt.write(result)
    return result


def _ranked(rows: Sequence[Row], names: Sequence[str], judged: JudgedLabels) -> list[DoubtfulLabel]:
    doubts, items = judged.doubts, []
    for rank, at in enumerate(doubts.order_n.tolist(), 1):
        row, suggested = rows[judged.judged[at]], int(doubts.suggested_n[at])
        own, other = round(float(doubts.own_n[at]), 6), round(float(judged.p_nc[at, suggested]), 6)
        flagged = bool(doubts.flagged_n[at])
        items.append(DoubtfulLabel(rank, row.image, row.split, names[row.label], names[suggested], own, other, flagged))
    return items


def _write(
    folder: RunFolder,
    data: Manifest,
    rows: Sequence[Row],
    judged: JudgedLabels,
    ranked: Sequence[DoubtfulLabel],
    top: int,
) -> bool:
    """Write table, page and corrections file; return whether the last held decisions and was left alone."""
    known = set(judged.judged)
    names = data.labels.names
    unjudged = [(row.image, row.split, names[row.label]) for at, row in enumerate(rows) if at not in known]
    atomic_io.write_text(folder.doubt_table, table_csv(ranked, unjudged))
    tiles = [
        DoubtTile(
            small_picture(data.root / item.file),
            item.file,
            item.label,
            item.suggested,
            f"rank {item.rank}, {item.split}, p({item.label}) {item.label_probability:.3f}, "
            f"p({item.suggested}) {item.suggested_probability:.3f}",
        )
        for item in ranked[:top]
    ]
    lead = (
        f"The {len(tiles):,} most doubtful labels of {len(rows):,}. Each is judged by predictions that the photo took "
        "no part in. Say what each photo is, download the corrections, and import with them."
    )
    folder.doubt_page.write(render(DoubtPage("Doubtful labels", lead, names, tiles, data.digest)))
    if _decides(folder.corrections):
        say(f"data doubt: {folder.corrections} holds decisions and is left as it is; move it away for a new one")
        return True
    atomic_io.write_text(folder.corrections, corrections_csv(ranked[:top]))
    return False


def _decides(path: Path) -> bool:
    """Whether a person has filled in a corrections file; one that cannot be read is a person's, too."""
    if not path.exists():
        return False
    try:
        return bool(read_corrections(path).rows)
    except UserError:
        return True


def _result(
    folder: RunFolder,
    data: Manifest,
    rows: Sequence[Row],
    judged: JudgedLabels,
    top: Sequence[DoubtfulLabel],
    network: ProbeNetwork,
    clock: StageClock,
    *,
    cached: bool,
    kept: bool,
) -> DoubtResult:
    doubts, names, known = judged.doubts, data.labels.names, set(judged.judged)
    labels_n = np.asarray([rows[at].label for at in judged.judged])
    flagged = np.flatnonzero(doubts.flagged_n)
    pairs = Counter((int(labels_n[at]), int(doubts.suggested_n[at])) for at in flagged)
    arch = network.recipe.arch
    return DoubtResult(
        photos=dict(Counter(row.split for row in rows)),
        flagged=len(flagged),
        pairs=tuple(FlaggedPair(names[i], names[j], count) for (i, j), count in pairs.most_common()),
        top=tuple(top),
        unjudged=tuple(row.image for at, row in enumerate(rows) if at not in known),
        agreement=round(float((judged.p_nc.argmax(1) == labels_n).mean()), 6),
        folds=judged.folds,
        penalty=judged.penalty,
        features=0,
        source=f"{arch.base} ({arch.pretrained}), {network.recipe.preprocess.size} px",
        note=network.note,
        cached=cached,
        corrections_kept=kept,
        stages=clock.stages(),
        data=data.digest,
        table=folder.doubt_table,
        corrections=folder.corrections,
        page=folder.doubt_page.path,
    )
