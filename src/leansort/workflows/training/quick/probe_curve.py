"""Whether more photos would help: a linear probe of half of the training photos beside one of all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from leansort.core.files.typed_result import TypedResult
from leansort.core.seeds import Seeds
from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.metrics import Interval
from leansort.recipe.schema import Recipe
from leansort.workflows.training.quick.quick_probe import fit_probe, open_features

HALF, WHOLE = 0.5, 1.0


class ProbeCurve(TypedResult):
    """How a linear probe grows with the photos that it learns from.

    Attributes:
        half: macro-F1 on val with half of the training photos of each class, with its 95 % bootstrap interval.
        whole: likewise with all of them.
    """

    half: Interval
    whole: Interval


def probe_curve(recipe: Recipe, out: Path, manifest: Path, cache: Path) -> ProbeCurve:
    """Score linear probes that learn from half of each class and from all of it.

    Args:
        recipe: whose pretrained network, or the one that stands in for it, gives the features.
        out: folder of the run.
        manifest: the data.
        cache: folder of the features.

    Raises:
        UserError: the network or its weights cannot be had.
    """
    features = open_features(recipe, out, "train --quick", manifest=manifest, cache=cache)
    rows, train_nf, val_nf = features.manifest, features("train"), features("val")
    train, val = rows.split("train"), rows.split("val")
    others = tuple(row for row in rows.rows if row.split != "train")
    truth = np.asarray([row.label for row in val])
    order = Seeds(recipe.seed).child("probe/curve").numpy().permutation(len(train))
    found = []
    for fraction in (HALF, WHOLE):
        kept = sorted(_of_each_class(order.tolist(), [row.label for row in train], fraction))
        part = replace(rows, rows=(*(train[at] for at in kept), *others))
        fitted = fit_probe(recipe, part, train_nf[kept], val_nf)
        found.append(metrics.macro_f1_interval(truth, fitted.predicted, len(rows.labels)))
    return ProbeCurve(half=found[0], whole=found[1])


def _of_each_class(order: list[int], labels: list[int], fraction: float) -> list[int]:
    """Numbers of a fraction of the photos of each class, at least two where there are two."""
    kept: list[int] = []
    for label in sorted(set(labels)):
        own = [at for at in order if labels[at] == label]
        kept += own[: max(min(2, len(own)), round(fraction * len(own)))]
    return kept
