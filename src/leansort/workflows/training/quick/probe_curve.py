"""Whether more photos or more pixels would help: linear probes of half of the photos, of all, and of a larger input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from leansort.core.files.typed_result import TypedResult
from leansort.core.process.console import say
from leansort.core.seeds import Seeds
from leansort.measure.accuracy import metrics
from leansort.measure.accuracy.metrics import Interval
from leansort.recipe.load import change_recipe
from leansort.recipe.schema import Recipe
from leansort.workflows.training.quick.quick_probe import SplitFeatures, fit_probe, open_features

HALF, WHOLE = 0.5, 1.0
LARGER, STEP = 1.4, 32  # twice the pixels, at a size that every stride divides
LARGEST = 640  # pixels; an input beyond it is no way out, and takes long to look at


class ProbeCurve(TypedResult):
    """How a linear probe grows with the photos that it learns from, and with their pixels.

    Attributes:
        half: macro-F1 on val with half of the training photos of each class, with its 95 % bootstrap interval.
        whole: likewise with all of them.
        larger: likewise with all of them and `larger_size`; None where the input is large already.
        gain: `larger` less `whole`, paired by photo, with its 95 % bootstrap interval; None where `larger` is.
        size: of the input in pixels, of `half` and `whole`; 0 where an older version did not say.
        larger_size: of the input in pixels, of `larger`; None where that is.
    """

    half: Interval
    whole: Interval
    larger: Interval | None = None
    gain: Interval | None = None
    size: int = 0
    larger_size: int | None = None


def probe_curve(recipe: Recipe, out: Path, manifest: Path, cache: Path) -> ProbeCurve:
    """Score linear probes that learn from half of each class, from all of it, and from all of it at a larger input.

    Args:
        recipe: whose pretrained network, or the one that stands in for it, gives the features.
        out: folder of the run.
        manifest: the data.
        cache: folder of the features.

    Raises:
        UserError: the network or its weights cannot be had.
    """
    features = open_features(recipe, out, "train --quick", manifest=manifest, cache=cache)
    rows = features.manifest
    labels = [row.label for row in rows.split("train")]
    order = Seeds(recipe.seed).child("probe/curve").numpy().permutation(len(labels)).tolist()
    half = _predicted(recipe, features, _of_each_class(order, labels, HALF))
    whole = _predicted(recipe, features, range(len(labels)))
    truth, classes = np.asarray([row.label for row in rows.split("val")]), len(rows.labels)
    curve = ProbeCurve(
        half=metrics.macro_f1_interval(truth, half, classes),
        whole=metrics.macro_f1_interval(truth, whole, classes),
        size=recipe.preprocess.size,
    )
    size = larger_size(recipe.preprocess.size)
    if size > LARGEST:
        return curve
    say(f"probe: the same at {size} px")
    larger = change_recipe(recipe, [f"preprocess.size={size}"])
    wide = open_features(larger, out, "train --quick", manifest=manifest, cache=cache)
    more = _predicted(larger, wide, range(len(labels)))
    found = {
        "larger": metrics.macro_f1_interval(truth, more, classes),
        "gain": metrics.paired_difference(truth, whole, more, classes),
        "larger_size": size,
    }
    return curve.model_copy(update=found)


def larger_size(size: int) -> int:
    """Pixels of an input side with about twice the pixels, in steps of `STEP`, and at least one step more."""
    return STEP * max(round(LARGER * size / STEP), size // STEP + 1)


def _predicted(recipe: Recipe, features: SplitFeatures, kept: Sequence[int]) -> metrics.Ints:
    """Classes on val of a probe that learns from some of the training photos, given by number."""
    rows, kept = features.manifest, sorted(kept)
    train = rows.split("train")
    others = tuple(row for row in rows.rows if row.split != "train")
    part = replace(rows, rows=(*(train[at] for at in kept), *others))
    return fit_probe(recipe, part, features("train")[kept], features("val")).predicted


def _of_each_class(order: list[int], labels: list[int], fraction: float) -> list[int]:
    """Numbers of a fraction of the photos of each class, at least two where there are two."""
    kept: list[int] = []
    for label in sorted(set(labels)):
        own = [at for at in order if labels[at] == label]
        kept += own[: max(min(2, len(own)), round(fraction * len(own)))]
    return kept
