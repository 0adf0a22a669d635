"""`leansort train --quick`: a classifier on features of a pretrained network says early what the data can give."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from leansort.core.damage.watch import watch_images
from leansort.core.errors import UserError
from leansort.core.manifest import Manifest, Row
from leansort.core.process.console import bar, say
from leansort.core.process.distributed import is_distributed
from leansort.core.run_folder import RunFolder
from leansort.core.writing.escaping import printable
from leansort.data.importing.class_selection import require_learnable
from leansort.data.loading.class_balance import class_weights
from leansort.data.loading.decoded_cache import read_unchanged
from leansort.data.splits import assign_folds
from leansort.measure.accuracy import metrics
from leansort.recipe.data_section import keep_classes
from leansort.recipe.schema import Recipe
from leansort.runtime.engine import Pixels
from leansort.train.linear_probe import feature_cache
from leansort.train.linear_probe.feature_cache import Features
from leansort.train.linear_probe.logistic_regression import (
    LabelledFeatures,
    LogisticRegression,
    PenaltyScore,
    standardize,
)
from leansort.train.train_config import TrainConfig
from leansort.workflows.data.import_data import data_for
from leansort.workflows.training.quick.probe_network import FeatureExtractor, ProbeNetwork, build_probe_network
from leansort.workflows.training.quick.probe_result import ProbeResult, ProbeScore, TriedPenalty, confused_pairs
from leansort.workflows.training.quick.stage_clock import StageClock

FOLDS = 5
_CHUNK = 64  # crops that are decoded and turned into features at a time


def probe(recipe: Recipe, out: Path, *, manifest: Path | None = None, cache: Path | None = None) -> ProbeResult:
    """Fit a linear classifier on features of a recipe's pretrained network, and score it on val.

    Args:
        recipe: the resolved recipe; without pretrained weights in it a network that has some stands in for its own.
        out: the run folder; gets the data, unless they are kept there unchanged, and the result.
        manifest: other data, imported before.
        cache: folder of the features; None: `cache` in `out`.

    Raises:
        UserError: the data cannot be used, or the network or its weights cannot be had or have no linear classifier.
    """
    features = open_features(recipe, out, "train --quick", manifest=manifest, cache=cache)
    rows, clock = features.manifest, features.clock
    train_nf, val_nf = features("train"), features("val")
    with clock.measure("fit"):
        fitted = fit_probe(recipe, rows, train_nf, val_nf)
    width, cached = train_nf.shape[1], features.cached
    result = _result(rows, features.network, fitted, clock, features=width, cached=cached, out=out)
    RunFolder(out).training.probe.write(result)
    return result


def open_features(
    recipe: Recipe, out: Path, command: str, *, manifest: Path | None = None, cache: Path | None = None
) -> SplitFeatures:
    """Get the data and the pretrained network of a recipe, whose features of each split can then be asked for.

    Args:
        recipe: the resolved recipe.
        out: the run folder, which gets the data, unless they are kept there unchanged.
        command: named in errors.
        manifest: other data, imported before.
        cache: folder of the features; None: `cache` in `out`.

    Raises:
        UserError: as `probe` does.
    """
    if is_distributed():
        raise UserError(f"{command}: runs in one process; start it without torchrun")
    torch.set_num_threads(recipe.train.threads or len(os.sched_getaffinity(0)))
    clock = StageClock()
    with clock.measure("import"):
        rows = _probe_data(recipe, out, manifest)
        require_learnable(rows, keep_classes(recipe.data))
    with clock.measure("network"):
        network = build_probe_network(recipe, len(rows.labels))
    return SplitFeatures(rows, network, cache or RunFolder(out).cache, clock)


def _probe_data(recipe: Recipe, out: Path, manifest: Path | None) -> Manifest:
    """The recipe's data: those that an earlier import left in `out` where they are unchanged, else imported anew.

    Raises:
        UserError: they cannot be used, or a training in `out` was begun with others.
    """
    try:
        return data_for(recipe, out, manifest, resume=True)
    except UserError:
        if RunFolder(out).training.checkpoint.exists():
            raise
    return data_for(recipe, out, manifest, resume=False)


class SplitFeatures:
    """Features of a split's crops, from the cache where they are there."""

    def __init__(self, manifest: Manifest, network: ProbeNetwork, cache: Path, clock: StageClock) -> None:
        self.manifest, self.network, self.cache, self.clock = manifest, network, cache, clock
        self.preprocess, self.threads = network.recipe.preprocess, torch.get_num_threads()
        self.extractor: FeatureExtractor | None = None
        self.cached = True

    def __call__(self, split: str) -> Features:
        """Return the features (n, f) of a split."""
        rows, hashes = self.manifest.split(split), [row.hash for row in self.manifest.split(split)]
        names = self.network.body.names
        path = feature_cache.feature_file(self.cache, self.network.digest, self.preprocess, names, hashes)
        return feature_cache.load_features(path, len(rows), lambda: self._compute(rows, split))

    def _compute(self, rows: Sequence[Row], split: str) -> Features:
        self.cached = False
        parts: list[Features] = []
        with bar(f"features of {split} crops") as advance, watch_images() as watch:
            with ThreadPoolExecutor(self.threads) as pool:
                for start in range(0, len(rows), _CHUNK):

                    def decode(row: Row) -> Pixels:
                        with watch.note_suspect(self.manifest.path(row)):
                            return self.preprocess(read_unchanged(self.manifest.path(row), row.hash))

                    with self.clock.measure("decode"):
                        x_bhwc = np.stack(list(pool.map(decode, rows[start : start + _CHUNK])))
                    with self.clock.measure("features"):
                        parts.append(self._extract(x_bhwc))
                    advance(min(start + _CHUNK, len(rows)), len(rows))
            for line in watch.damage_lines():
                say(printable(f"warning: {line}; import the data again, which leaves it out"))
        return np.concatenate(parts)

    def _extract(self, x_bhwc: Pixels) -> Features:
        if self.extractor is None:
            self.extractor = FeatureExtractor(self.network, x_bhwc[:4], self.threads)
        return self.extractor(x_bhwc)


class FittedProbe:
    """A classifier's predictions on val, and how its penalty was chosen."""

    def __init__(self, predicted: metrics.Ints, folds: int, penalty: float, tried: tuple[PenaltyScore, ...]) -> None:
        self.predicted, self.folds, self.penalty, self.tried = predicted, folds, penalty, tried


def fit_probe(recipe: Recipe, manifest: Manifest, train_nf: Features, val_nf: Features) -> FittedProbe:
    """Fit a linear classifier on features, its penalty chosen by cross-validation, and let it classify val.

    Args:
        recipe: its `train` section says what a crop of each class counts.
        manifest: the data, whose train and val crops the features are of.
        train_nf: features (n, f) of the train crops.
        val_nf: likewise of the val crops.

    Raises:
        UserError: there are too few groups of crops for a cross-validation.
    """
    rows, counts = manifest.split("train"), manifest.counts("train")
    x_nf, val_x_nf = standardize(torch.from_numpy(train_nf), torch.from_numpy(val_nf))
    labels_n = torch.tensor([row.label for row in rows])
    weight_c, margin_c = _class_terms(recipe.train, counts)
    problem = LogisticRegression(LabelledFeatures(x_nf, labels_n, weight_c[labels_n], margin_c))
    folds_n = folds_of(rows, counts, recipe.seed)
    penalty, tried = problem.choose_penalty(folds_n)
    predicted = problem.fit(penalty)(val_x_nf).argmax(1).numpy()
    return FittedProbe(predicted, int(folds_n.max()) + 1, penalty, tried)


def _class_terms(config: TrainConfig, counts: Sequence[int]) -> tuple[Tensor, Tensor]:
    """What a crop of each class counts, and what is added to its logit, as the recipe's training has it."""
    weights = class_weights(counts, config.class_weights) * class_weights(counts, config.sampler)
    fraction = np.maximum(np.asarray(counts, np.float64), 1.0) / max(1, sum(counts))
    margin = config.logit_adjustment * np.log(fraction)
    return torch.tensor(weights, dtype=torch.float32), torch.tensor(margin, dtype=torch.float32)


def folds_of(rows: Sequence[Row], counts: Sequence[int], seed: int, most: int = FOLDS) -> Tensor:
    """The fold that each training crop is held out in, groups kept together; -1 for crops that never are.

    A class with a single crop, or all of whose crops are one group, is never held out: without it no classifier could
    learn the class, and its loss would say nothing of the penalty.

    Args:
        rows: the training crops.
        counts: crops of each class.
        seed: of the folds.
        most: number of folds; fewer where there are fewer groups.

    Raises:
        UserError: fewer than two groups of crops can be held out.
    """
    groups: dict[int, set[str]] = {}
    for row in rows:
        groups.setdefault(row.label, set()).add(row.group)
    alone = {label for label, own in groups.items() if len(own) < 2}
    held = [at for at, row in enumerate(rows) if row.label not in alone]
    count = min(most, len({rows[at].group for at in held}))
    if count < 2:
        raise UserError(
            f"cross-validation needs two groups of crops or more of a class, got crops of each class: {list(counts)}"
        )
    folds_n = torch.full((len(rows),), -1)
    for fold in range(count):
        for at, row in zip(held, assign_folds([rows[at] for at in held], count, fold, seed), strict=True):
            if row.split == "val":
                folds_n[at] = fold
    return folds_n


def _result(
    manifest: Manifest,
    network: ProbeNetwork,
    fitted: FittedProbe,
    clock: StageClock,
    *,
    features: int,
    cached: bool,
    out: Path,
) -> ProbeResult:
    names, truth = manifest.labels.names, np.asarray([row.label for row in manifest.split("val")])
    arch, folder = network.recipe.arch, RunFolder(out).training
    return ProbeResult(
        score=ProbeScore(
            metrics.macro_f1_interval(truth, fitted.predicted, len(names)),
            arch.base,
            str(arch.pretrained),
            network.recipe.preprocess.size,
        ),
        macro_f1_classes=metrics.coverage(names, manifest.counts("val")).describe("val"),
        classes=tuple(metrics.per_class(truth, fitted.predicted, names)),
        confused=confused_pairs(metrics.confusion(truth, fitted.predicted, len(names)), names),
        note=network.note,
        features=features,
        cached=cached,
        train_crops=len(manifest.split("train")),
        val_crops=len(truth),
        folds=fitted.folds,
        penalty=fitted.penalty,
        tried=tuple(TriedPenalty(*astuple(score)) for score in fitted.tried),
        stages=clock.stages(),
        data=manifest.digest,
        folder=str(folder.path),
    )
