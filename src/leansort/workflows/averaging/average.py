"""`leansort average`: the networks of several trainings become one with their mean weights, judged on val."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from leansort.arch import trained_model
from leansort.arch.trained_model import TrainedModel, compute_logits, normalize
from leansort.core.errors import UserError
from leansort.core.files.typed_result import JsonObject, TypedResult
from leansort.core.manifest import Manifest
from leansort.core.run_folder import AverageFolder, ModelFolder
from leansort.core.writing import atomic_io
from leansort.data.loading.crops import Crops
from leansort.data.loading.loader import eval_batches
from leansort.measure.accuracy.metrics import macro_f1_present
from leansort.train.finetuning.norm_statistics import recompute_statistics
from leansort.train.finetuning.weight_soup import Soup, greedy_soup
from leansort.workflows.training.train import load_crops

_BATCH = 64


class AveragedNetwork(TypedResult):
    """One of the networks that were given.

    Attributes:
        path: as it was given.
        val_macro_f1: its own.
        mean_with_it: of the mean when it was tried; None of the best network, with which the mean begins.
        taken: whether it is in the mean.
    """

    path: str
    val_macro_f1: float
    mean_with_it: float | None
    taken: bool


class AverageResult(TypedResult):
    """What `leansort average` comes to.

    Attributes:
        networks: those given, in that order.
        val_macro_f1: of the mean; val also chose which networks are in it.
        folder: where it lies.
    """

    networks: tuple[AveragedNetwork, ...]
    val_macro_f1: float
    folder: str

    def headline(self) -> dict[str, str]:
        """Return the score, how many are in it, and where it is."""
        taken = sum(network.taken for network in self.networks)
        score = f"{self.val_macro_f1:.4f}"
        return {"val macro-F1": score, "networks": f"{taken} of {len(self.networks)}", "folder": self.folder}


def average(paths: Sequence[Path], manifest: Manifest, out: Path, cache: Path | None = None) -> AverageResult:
    """Average the weights of trained networks, taking in only those that val macro-F1 does not fall with.

    Args:
        paths: `model.safetensors` files or run folders, at least two of one architecture; they may take pictures of
            other sizes, and the mean takes those of the best network's.
        manifest: the data; train gives the mean its batch-norm statistics, val judges.
        out: gets `model.safetensors`, `average.json` and the recipe of the best network, where that has one beside it;
            must be new or empty.
        cache: folder of decoded crops; None: `cache` in `out`.

    Raises:
        UserError: fewer than two networks, networks of other architectures or classes, or `out` holds something.
        IntegrityError: a file is damaged.
    """
    models = _alike([(path, trained_model.load(path)) for path in paths])
    models[0].labels.require_same(manifest.labels, "the networks", "the manifest")
    atomic_io.new_folder(out, "average", reuse=False)
    data = _Data(manifest, cache or AverageFolder(out).cache)
    soup = greedy_soup(models, data.with_statistics, data.score)
    folder = AverageFolder(out)
    known = {**soup.model.provenance, "averaged": len(soup.members), "val_macro_f1": soup.score}
    replace(soup.model, provenance=known).save(folder.model)
    _keep_recipe(paths[soup.members[0]], folder)
    result = _result(soup, paths, out)
    folder.result.write(result)
    return result


def _keep_recipe(best: Path, folder: AverageFolder) -> None:
    beside = ModelFolder(best if best.is_dir() else best.parent).recipe
    if beside.exists():
        folder.recipe.write(beside.read(JsonObject, "average"))


class _Data:
    """What networks are judged on, and what their batch norms see, at each network's own size."""

    def __init__(self, manifest: Manifest, cache: Path) -> None:
        self.manifest, self.cache = manifest, cache

    def crops(self, split: str, model: TrainedModel) -> Crops:
        return load_crops(self.manifest, split, model.preprocess, self.cache)

    def score(self, model: TrainedModel) -> float:
        val = self.crops("val", model)
        out_nc = compute_logits(model.network(), model.preprocess, eval_batches(val.pixels, _BATCH))
        return macro_f1_present(np.asarray(val.labels), out_nc.argmax(1).numpy(), len(model.labels))

    def with_statistics(self, model: TrainedModel) -> TrainedModel:
        network: nn.Module = model.network()
        batches = eval_batches(self.crops("train", model).pixels, _BATCH)
        recompute_statistics(network, (normalize(x_bchw, model.preprocess) for x_bchw in batches))
        return replace(model, weights=network.state_dict())


def _alike(named: Sequence[tuple[Path, TrainedModel]]) -> list[TrainedModel]:
    if len(named) < 2:
        raise UserError(f"average: got {len(named)} network, need two or more of one architecture")
    (first, model), *others = named
    for path, other in others:
        if other.spec != model.spec:
            raise UserError(f"average: {path} has another architecture than {first}; their weights have no mean")
        other.labels.require_same(model.labels, str(path), str(first))
        if (other.preprocess.mean, other.preprocess.std) != (model.preprocess.mean, model.preprocess.std):
            raise UserError(f"average: {path} normalizes pixels otherwise than {first}; their weights have no mean")
    return [model for _, model in named]


def _result(soup: Soup, paths: Sequence[Path], out: Path) -> AverageResult:
    networks = tuple(
        AveragedNetwork(
            path=str(path), val_macro_f1=score, mean_with_it=soup.tried.get(place), taken=place in soup.members
        )
        for place, (path, score) in enumerate(zip(paths, soup.alone, strict=True))
    )
    return AverageResult(networks=networks, val_macro_f1=soup.score, folder=str(out))


def average_table(result: AverageResult) -> str:
    """One line a network, then the mean."""
    width = max(len(network.path) for network in result.networks)
    lines = [f"{'network':{width}}  val macro-F1  mean with it"]
    for network in result.networks:
        mean = "begins" if network.mean_with_it is None else f"{network.mean_with_it:.4f}"
        kept = "" if network.taken else ", left out: val falls with it"
        lines.append(f"{network.path:{width}}  {network.val_macro_f1:12.4f}  {mean}{kept}")
    taken = sum(network.taken for network in result.networks)
    return "\n".join([*lines, f"{f'mean of {taken}':{width}}  {result.val_macro_f1:12.4f}  {result.folder}"])
