"""`leansort data doubt`: labels ranked by how little predictions that have not seen them agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from leansort.core.manifest import SPLITS
from leansort.core.run_folder import RunFolder
from leansort.recipe.schema import Recipe
from leansort.workflows.training.doubt.doubt_files import write_doubts
from leansort.workflows.training.doubt.doubt_result import DoubtfulLabel, DoubtResult, FlaggedPair
from leansort.workflows.training.doubt.judged_labels import fewer_threads, judge_labels, rank_labels
from leansort.workflows.training.quick.quick_probe import FOLDS, open_features

TOP = 100  # photos on the page and in the corrections file


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
    features = open_features(recipe, out, "data doubt", manifest=manifest, cache=cache)
    data, network, clock, folder = features.manifest, features.network, features.clock, RunFolder(out)
    splits = [split for split in SPLITS if any(data.counts(split))]
    rows = [row for split in splits for row in data.split(split)]
    x_nf = np.concatenate([features(split) for split in splits])
    with clock.measure("fit"), fewer_threads(len(rows)):
        judged = judge_labels(x_nf, rows, len(data.labels), recipe.seed, folds)
    ranked, known = rank_labels(rows, data.labels.names, judged), set(judged.judged)
    unjudged = [row for at, row in enumerate(rows) if at not in known]
    with clock.measure("page"):
        kept = write_doubts(folder, data, ranked, unjudged, top)
    arch, flagged = network.recipe.arch, [item for item in ranked if item.flagged]
    result = DoubtResult(
        photos=dict(Counter(row.split for row in rows)),
        flagged=len(flagged),
        pairs=_flagged_pairs(flagged),
        top=tuple(ranked[:top]),
        unjudged=tuple(row.image for row in unjudged),
        agreement=judged.agreement,
        folds=judged.folds,
        penalty=judged.penalty,
        features=x_nf.shape[1],
        source=f"{arch.base} ({arch.pretrained}), {network.recipe.preprocess.size} px",
        note=network.note,
        cached=features.cached,
        corrections_kept=kept,
        stages=clock.stages(),
        data=data.digest,
        table=folder.doubt_table,
        corrections=folder.corrections,
        page=folder.doubt_page.path,
    )
    folder.doubt.write(result)
    return result


def _flagged_pairs(flagged: Sequence[DoubtfulLabel]) -> tuple[FlaggedPair, ...]:
    counted = Counter((item.label, item.suggested) for item in flagged)
    return tuple(FlaggedPair(label, suggested, count) for (label, suggested), count in counted.most_common())
