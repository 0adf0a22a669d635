"""The network whose features a probe takes, with its pretrained weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from leansort.arch.pretrained import key_map, matching, weight_loader
from leansort.arch.pretrained.weight_pack import find_pack, is_pack
from leansort.arch.spec.batch_norm_folding import fold_batch_norms_inplace
from leansort.arch.spec.memory_format import channels_last
from leansort.core.errors import UserError, one_line
from leansort.core.process.console import say
from leansort.export.feature_graph import export_features
from leansort.recipe.schema import ArchConfig, Recipe
from leansort.runtime.engine import Pixels
from leansort.runtime.engines.onnxruntime import OnnxRuntimeConfig, OnnxRuntimeEngine
from leansort.train.linear_probe.body_features import BodyFeatures
from leansort.train.linear_probe.feature_cache import Features, body_digest
from leansort.workflows.training.built_network import build_network

DEFAULT = "pack:efficientnet_lite0"  # whose features a recipe without pretrained weights is probed with
BATCH = 16  # more do not fit into the processor's cache, and take longer for each
_OFF = 1e-3  # of the largest feature: what a graph may differ from its network by


@dataclass(frozen=True)
class ProbeNetwork:
    """A network that makes features.

    Attributes:
        recipe: the recipe as it is probed.
        body: uint8 RGB (b, size, size, 3) to float32 (b, f), in evaluation mode.
        digest: of its weights.
        note: why it is not the recipe's own network; empty where it is.
    """

    recipe: Recipe
    body: BodyFeatures
    digest: str
    note: str


def with_pretrained(recipe: Recipe) -> tuple[Recipe, str]:
    """The recipe with a network that has pretrained weights, and why that is another one; empty where it is not.

    Features of random weights say little of data, so where the recipe names no weights a network that has some is
    taken in place of its own, with the statistics that those were trained with.

    Raises:
        UserError: there is no such pack.
    """
    if recipe.arch.pretrained:
        return recipe, ""
    facts = find_pack(DEFAULT).facts
    theirs = {"mean": facts.preprocess.mean, "std": facts.preprocess.std}
    changed = {
        "arch": ArchConfig(base=facts.backbone, pretrained=DEFAULT),
        "preprocess": recipe.preprocess.model_copy(update=theirs),
    }
    note = f"the recipe names no arch.pretrained, and features of random weights say little; these are {DEFAULT}'s"
    return recipe.model_copy(update=changed), note


def build_probe_network(recipe: Recipe, classes: int) -> ProbeNetwork:
    """Build the network that a recipe is probed with, and load its pretrained weights.

    Args:
        recipe: the resolved recipe.
        classes: number of its outputs.

    Raises:
        UserError: there is no such network, the weights are not at hand or do not fit, or it has no linear classifier.
    """
    recipe, note = with_pretrained(recipe)
    if note:
        say(f"probe: {note}")
    source = str(recipe.arch.pretrained)
    network = build_network(recipe, classes).network
    names = key_map.read_key_map(recipe.arch.pretrained_key_map) if recipe.arch.pretrained_key_map else None
    hit = weight_loader.load_pretrained(network, source, names, base=recipe.arch.base)
    say(f"weights: {source}: {matching.match_summary(hit)}")
    if is_pack(source) and (warning := find_pack(source).other_statistics(recipe.preprocess)):
        say(f"warning: {warning}")
    digest = body_digest(network, classes)
    folded = channels_last(fold_batch_norms_inplace(network.requires_grad_(False)))
    return ProbeNetwork(recipe, BodyFeatures(folded.eval(), classes, recipe.preprocess), digest, note)


class FeatureExtractor:
    """Computes features by ONNX Runtime; on a GPU, or where the graph fails or differs, by PyTorch.

    Args:
        network: the network.
        sample: a few images, on which the graph is compared with the network.
        threads: compute threads.
    """

    def __init__(self, network: ProbeNetwork, sample: Pixels, threads: int) -> None:
        self.body, self.device = network.body, torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.engine: OnnxRuntimeEngine | None = None
        if self.device.type == "cuda":
            self.body.to(self.device)
            return
        try:
            bundle = export_features(self.body, network.recipe.preprocess)
            engine = OnnxRuntimeEngine.load(bundle, OnnxRuntimeConfig(threads=threads))
            difference = _largest_difference(engine.run(sample), self._by_network(sample))
        except Exception as error:  # of the exporter and the engine, which have no common base
            say(f"probe: features by PyTorch, as the network's graph fails: {one_line(error)}")
            return
        if difference > _OFF:
            say(f"probe: features by PyTorch, as those of the network's graph are off by {difference:.2g}")
            return
        self.engine = engine

    def __call__(self, x_bhwc: Pixels) -> Features:
        """Map uint8 (b, h, w, 3) to float32 (b, f).

        Raises:
            UserError: a feature is not finite.
        """
        run = self.engine.run if self.engine else self._by_network
        parts = [run(np.ascontiguousarray(x_bhwc[at : at + BATCH])) for at in range(0, len(x_bhwc), BATCH)]
        features_bf = np.concatenate(parts)
        if not np.isfinite(features_bf).all():
            raise UserError("train --quick: the network's features are not finite; do the weights fit it?")
        return features_bf

    def _by_network(self, x_bhwc: Pixels) -> Features:
        with torch.inference_mode():
            features: Features = self.body(torch.from_numpy(x_bhwc).to(self.device)).cpu().numpy()
        return features


def _largest_difference(a_bf: Features, b_bf: Features) -> float:
    """Of two equal sets of features, as a fraction of the largest; infinite where their shapes differ."""
    if a_bf.shape != b_bf.shape:
        return float("inf")
    return float(np.abs(a_bf - b_bf).max() / max(1e-9, float(np.abs(b_bf).max())))
