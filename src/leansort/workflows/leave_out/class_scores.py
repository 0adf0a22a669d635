"""Every score of novelty on the photos of a class that a network was trained without, and on those of the others.

Beside what a bundle tells, there are distances of features: of the network's own, where its classifier takes them and
behind an earlier stage, and of the network that it began with, which has forgotten nothing yet. The latter costs a
second network on a robot, and is here to say what could be had.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leansort.arch.spec.batch_norm_folding import fold_batch_norms_inplace
from leansort.arch.trained_model import TrainedModel
from leansort.core.files.bundle_decisions import LogitMethod
from leansort.data.loading.crops import Crops
from leansort.export.distance_graph import fit_classes
from leansort.export.onnx import export_onnx
from leansort.measure.accuracy.neighbours import mean_standard_score, neighbour_distance
from leansort.recipe.schema import Recipe
from leansort.runtime import engine as engines
from leansort.runtime.decisions.novelty import novelty_scores
from leansort.runtime.engine import Pixels
from leansort.train.linear_probe.body_features import BodyFeatures
from leansort.workflows.deploy.bundle_calibration import calibrate_bundle
from leansort.workflows.training.quick.probe_network import FeatureExtractor, ProbeNetwork, build_probe_network

Floats = npt.NDArray[np.float64]
LOGITS: tuple[LogitMethod, ...] = ("energy", "max_logit", "max_softmax")
HALF_WAY, CLASSIFIER = "mahalanobis half-way", "mahalanobis before the classifier"
NEIGHBOURS, STAGE = "10 neighbours before the classifier", "1 neighbour behind an earlier stage"
PRETRAINED = "1 neighbour, pretrained features"
PAIR, TRIPLE = "energy and pretrained neighbour", "energy and both single neighbours"


@dataclass(frozen=True)
class Features:
    """Features of train crops and of val photos.

    Attributes:
        train_nf: float64 (n, f).
        val_mf: float64 (m, f).
    """

    train_nf: Floats
    val_mf: Floats


def class_scores(
    model: TrainedModel, recipe: Recipe, train: Crops, val: Pixels, known_m: npt.NDArray[np.bool_], labels: list[int]
) -> dict[str, Floats]:
    """Score val photos, the higher the more novel.

    Args:
        model: trained without a class.
        recipe: of the training.
        train: crops that it was trained on.
        val: all val photos, those of the class among them, uint8 (m, size, size, 3).
        known_m: which of them show classes that it knows.
        labels: class indices of the known ones, in their order.
    """
    bundle, _ = calibrate_bundle(export_onnx(model), Crops(val[known_m], labels), train=train)
    logits, distances = engines.compute_with_distances(engines.load_engine(bundle), val)
    found: dict[str, Floats] = {}
    for name in LOGITS:
        found[name] = novelty_scores(logits, name, bundle.meta.temperature)
    if distances is not None:
        found[HALF_WAY] = np.asarray(distances, np.float64)
    own = _features(ProbeNetwork(recipe, _body(model), "", ""), train.pixels, val)
    at_classifier, stage = own["classifier"], own[list(own)[len(own) // 2]]
    whitening_kf, means_ck = fit_classes(at_classifier.train_nf, np.asarray(train.labels, np.int64))
    apart_mck = (at_classifier.val_mf @ whitening_kf.T)[:, None] - means_ck[None]
    found[CLASSIFIER] = np.sqrt((apart_mck**2).sum(2)).min(1)
    found[NEIGHBOURS] = neighbour_distance(at_classifier.train_nf, at_classifier.val_mf, 10)
    found[STAGE] = neighbour_distance(stage.train_nf, stage.val_mf, 1)
    if recipe.arch.pretrained:
        before = _features(build_probe_network(recipe, len(model.labels)), train.pixels, val)["classifier"]
        found[PRETRAINED] = neighbour_distance(before.train_nf, before.val_mf, 1)
        found[PAIR] = mean_standard_score([found["energy"], found[PRETRAINED]], known_m)
        found[TRIPLE] = mean_standard_score([found["energy"], found[PRETRAINED], found[STAGE]], known_m)
    return found


def _body(model: TrainedModel) -> BodyFeatures:
    network = fold_batch_norms_inplace(model.network().requires_grad_(False))
    return BodyFeatures(network.eval(), len(model.labels), model.preprocess)


def _features(network: ProbeNetwork, train: Pixels, val: Pixels) -> dict[str, Features]:
    """By part of the network: what enters the classifier first, then what its last stages put out."""
    extract, columns = FeatureExtractor(network, train[:4], 1), network.body.columns()
    train_nf, val_mf = (extract(x_bhwc).astype(np.float64) for x_bhwc in (train, val))
    return {name: Features(train_nf[:, part], val_mf[:, part]) for name, part in columns.items()}
