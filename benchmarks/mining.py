"""Claim: half as many photos, chosen as `leansort mine` does, reach the F1 of photos chosen by chance.

Simulated on TrashNet's train photos, whose labels are hidden until a photo is chosen: the same 60 first photos, then
rounds of 60. A linear classifier on kept features of the recipe's pretrained network (as `train --quick` has them) is
fitted after each round and scored on val; what it says of the open photos chooses the next ones, as a deployed graph
would. Beside it, the smallest margins alone. Three seeds.

    python -m benchmarks.mining --data FOLDER --cache FOLDER
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks.recorded_runs import processor
from leansort.core.text.columns import align_columns
from leansort.core.writing import atomic_io
from leansort.data.quality.photo_selection import photo_worth, select_photos
from leansort.recipe.load import load_recipe
from leansort.train.linear_probe.logistic_regression import (
    LabelledFeatures,
    LinearClassifier,
    LogisticRegression,
    standardize,
)
from leansort.workflows.training.quick.quick_probe import open_features

RECIPE, SEEDS, STEP, WHOLE, PENALTY = "trashnet-transfer", (0, 1, 2), 60, 600, 0.1
CHANCE, MARGIN, OURS = "chance", "smallest margin", "leansort mine"
Floats = npt.NDArray[np.float64]


class Pool:
    """Photos whose labels are known to the simulation alone, and val."""

    def __init__(self, x_nf: Tensor, labels: Sequence[int], val_nf: Tensor, val_labels: Sequence[int]) -> None:
        self.x_nf, self.val_nf = standardize(x_nf, val_nf)
        self.labels_n, self.val_labels_n = torch.tensor(labels), np.asarray(val_labels)
        self.classes = int(self.labels_n.max()) + 1

    def fit(self, labelled: Sequence[int]) -> LinearClassifier:
        """A classifier on the photos whose labels were asked for."""
        at = torch.tensor(labelled)
        part = LabelledFeatures(self.x_nf[at], self.labels_n[at], torch.ones(len(labelled)), torch.zeros(self.classes))
        return LogisticRegression(part).fit(PENALTY)

    def f1(self, classifier: LinearClassifier) -> float:
        """Macro-F1 on val."""
        guessed = classifier(self.val_nf).argmax(1).numpy()
        matrix = np.zeros((self.classes, self.classes), np.int64)
        np.add.at(matrix, (self.val_labels_n, guessed), 1)
        right, both = np.diag(matrix), matrix.sum(axis=0) + matrix.sum(axis=1)
        return float((2 * right / np.maximum(both, 1)).mean())

    def probabilities(self, classifier: LinearClassifier) -> Floats:
        """Of every photo, those with labels too."""
        p_nc: Floats = classifier(self.x_nf).double().softmax(1).numpy()
        return p_nc


def choose(way: str, p_nc: Floats, labelled: list[int], rng: np.random.Generator) -> list[int]:
    """The next photos to be labelled."""
    open_ones = np.setdiff1d(np.arange(len(p_nc)), labelled)
    if way == CHANCE:
        return [int(at) for at in rng.choice(open_ones, STEP, replace=False)]
    worth_n = photo_worth(p_nc[open_ones])
    if way == MARGIN:
        return [int(at) for at in open_ones[np.argsort(-worth_n, kind="stable")[:STEP]]]
    return [int(open_ones[at]) for at in select_photos(p_nc[open_ones], worth_n, most=STEP)]


def curve(pool: Pool, way: str, seed: int) -> list[float]:
    """Macro-F1 after each round."""
    rng = np.random.default_rng(seed)
    labelled: list[int] = rng.choice(len(pool.labels_n), STEP, replace=False).tolist()
    scores = []
    while True:
        classifier = pool.fit(labelled)
        scores.append(pool.f1(classifier))
        if len(labelled) >= WHOLE:
            return scores
        labelled += choose(way, pool.probabilities(classifier), labelled, rng)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="TrashNet: a folder with train/ and val/")
    parser.add_argument("--cache", type=Path, help="folder of features that are there already")
    given = parser.parse_args(arguments)
    recipe = load_recipe(RECIPE, ["train.threads=1"], data=given.data)
    with tempfile.TemporaryDirectory() as folder:
        of_splits = open_features(recipe, Path(folder), "mining", cache=given.cache)
        train, val = of_splits.manifest.split("train"), of_splits.manifest.split("val")
        pool = Pool(
            torch.from_numpy(of_splits("train")),
            [row.label for row in train],
            torch.from_numpy(of_splits("val")),
            [row.label for row in val],
        )
    curves = {way: [curve(pool, way, seed) for seed in SEEDS] for way in (CHANCE, MARGIN, OURS)}
    counts = [STEP * (at + 1) for at in range(len(curves[OURS][0]))]
    print(f"val macro-F1 by number of labelled photos, mean of {len(SEEDS)} seeds; all {len(train):,}: ", end="")
    print(f"{pool.f1(pool.fit(range(len(train)))):.3f}")
    rows = [["", *map(str, counts)]]
    rows += [[way, *(f"{value:.3f}" for value in np.mean(each, axis=0))] for way, each in curves.items()]
    print(align_columns(rows, left=1))
    half = counts.index(WHOLE // 2)
    ours, whole = float(np.mean([each[half] for each in curves[OURS]])), float(np.mean([e[-1] for e in curves[CHANCE]]))
    print(
        f"{WHOLE // 2} photos by leansort mine: {ours:.3f}; {WHOLE} by chance: {whole:.3f} "
        f"(goal: at least that): {'holds' if ours >= whole else 'MISSED'}"
    )
    path = Path(__file__).parent / "out" / "mining.json"
    atomic_io.write_json(path, {"curves": curves, "counts": counts, "holds": ours >= whole, "host": processor()})


if __name__ == "__main__":
    main()
