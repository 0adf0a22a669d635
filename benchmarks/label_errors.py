"""Claim: of 5 % wrong labels put into TrashNet's train photos, at least 0.8 of the first 88 doubted ones are wrong.

For three seeds each of 88 photos of 1,768 gets another class at random, all classes alike, and `leansort data doubt`'s
own function ranks them. References in the same run, on the same features and folds: the linear classifier's
probability of the label alone (self-confidence), and cleanlab's ranking of those predictions where it is installed.
Labels that are wrong in TrashNet itself count against every ranking.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.recorded_runs import processor
from leansort.core.manifest import Row
from leansort.core.text.columns import align_columns
from leansort.core.writing import atomic_io
from leansort.recipe.load import load_recipe
from leansort.train.linear_probe.feature_cache import Features
from leansort.train.linear_probe.logistic_regression import LabelledFeatures, LogisticRegression, standardize
from leansort.workflows.training.doubt.judged_labels import judge_labels
from leansort.workflows.training.quick.quick_probe import FOLDS, folds_of, open_features

RECIPE, SEEDS, FRACTION, CLAIMED = "trashnet-transfer", (0, 1, 2), 0.05, 0.8
OURS, PLAIN, CLEANLAB = "leansort data doubt", "self-confidence of the linear classifier", "cleanlab"
Indices = npt.NDArray[np.int64]


def with_wrong_labels(rows: Sequence[Row], classes: int, seed: int) -> tuple[list[Row], Indices]:
    """The rows with some labels wrong, each another class at random, and which those are."""
    rng = np.random.default_rng(seed)
    wrong = rng.choice(len(rows), round(FRACTION * len(rows)), replace=False)
    shift = dict(zip(wrong.tolist(), rng.integers(1, classes, len(wrong)).tolist(), strict=True))
    return [replace(row, label=(row.label + shift.get(at, 0)) % classes) for at, row in enumerate(rows)], wrong


def linear_predictions(features_nf: Features, rows: Sequence[Row], classes: int, seed: int) -> npt.NDArray[np.float64]:
    """Out-of-fold probabilities of the linear classifier alone."""
    labels_n = torch.tensor([row.label for row in rows])
    folds_n = folds_of(rows, torch.bincount(labels_n, minlength=classes).tolist(), seed)
    (x_nf,) = standardize(torch.from_numpy(features_nf))
    problem = LogisticRegression(LabelledFeatures(x_nf, labels_n, torch.ones(len(rows)), torch.zeros(classes)))
    penalty, _ = problem.choose_penalty(folds_n)
    p_nc: npt.NDArray[np.float64] = problem.held_out_logits(penalty, folds_n).double().softmax(1).numpy()
    return p_nc


def cleanlab_order(p_nc: npt.NDArray[np.float64], labels_n: Indices) -> Indices | None:
    """All photos in cleanlab's order, those that it takes for wrong first; None where it is not installed."""
    try:
        ranking, filtering = importlib.import_module("cleanlab.rank"), importlib.import_module("cleanlab.filter")
    except ImportError:
        return None
    issues = filtering.find_label_issues(labels_n, p_nc, return_indices_ranked_by="self_confidence")
    rest = np.setdiff1d(np.arange(len(labels_n)), issues)
    scores = ranking.get_label_quality_scores(labels_n, p_nc)
    return np.concatenate([issues, rest[np.argsort(scores[rest], kind="stable")]])


def judge(features_nf: Features, rows: Sequence[Row], classes: int, seed: int) -> tuple[dict[str, float], str]:
    """Precision among the first k of each ranking, k being the number of wrong labels; and what was flagged."""
    spoilt, wrong = with_wrong_labels(rows, classes, seed)
    labels_n = np.asarray([row.label for row in spoilt])
    judged = judge_labels(features_nf, spoilt, classes, 0, FOLDS)
    p_nc = linear_predictions(features_nf, spoilt, classes, 0)
    orders: dict[str, Indices | None] = {
        OURS: np.asarray(judged.judged)[judged.doubts.order_n],
        PLAIN: np.argsort(p_nc[np.arange(len(labels_n)), labels_n], kind="stable"),
        CLEANLAB: cleanlab_order(p_nc, labels_n),
    }
    flagged = np.asarray(judged.judged)[judged.doubts.flagged_n]
    hits = int(np.isin(flagged, wrong).sum())
    told = f"seed {seed}: {len(flagged)} flagged, {hits} of them wrong, of {len(wrong)} wrong labels"
    first = {name: order[: len(wrong)] for name, order in orders.items() if order is not None}
    return {name: float(np.isin(part, wrong).mean()) for name, part in first.items()}, told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="TrashNet: a folder with train/ and val/")
    parser.add_argument("--cache", type=Path, help="folder of features that are there already")
    given = parser.parse_args()
    recipe = load_recipe(RECIPE, ["train.threads=1"], data=given.data)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        of_splits = open_features(recipe, Path(folder), "label_errors", cache=given.cache)
        rows, classes = of_splits.manifest.split("train"), len(of_splits.manifest.labels)
        features = of_splits("train")
    scores: dict[str, list[float]] = {}
    for seed in SEEDS:
        result, told = judge(features, rows, classes, seed)
        print(told, flush=True)
        for name, precision in result.items():
            scores.setdefault(name, []).append(precision)
    count = round(FRACTION * len(rows))
    head = [f"precision among the first {count} of {len(rows):,}", *(f"seed {seed}" for seed in SEEDS), "mean"]
    table = [[name, *(f"{value:.3f}" for value in [*each, np.mean(each)])] for name, each in scores.items()]
    print(align_columns([head, *table], left=1))
    if CLEANLAB not in scores:
        print("cleanlab is not installed, and not compared")
    mean, least = float(np.mean(scores[OURS])), min(scores[OURS])
    print(f"mean of {len(SEEDS)} seeds >= {CLAIMED:g}: {'holds' if mean >= CLAIMED else 'MISSED'}")
    print(f"each of {len(SEEDS)} seeds >= {CLAIMED:g}: {'holds' if least >= CLAIMED else 'MISSED'}")
    atomic_io.write_json(
        Path(__file__).parent / "out" / "label_errors.json",
        {
            "precision": scores,
            "first": count,
            "holds": mean >= CLAIMED,
            "each_holds": least >= CLAIMED,
            "host": processor(),
        },
    )


if __name__ == "__main__":
    main()
