"""What can be passed on: a trained network or a bundle, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import JsonValue

from leansort.arch import trained_model
from leansort.arch.build import macs, parameters
from leansort.arch.spec.batch_norm_folding import merge_branches
from leansort.arch.trained_model import TrainedModel
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError, UserError
from leansort.core.files.bundle_card import BundleCard
from leansort.core.files.typed_files import JsonFile
from leansort.core.files.typed_result import JsonObject
from leansort.core.preprocess import Preprocess
from leansort.core.run_folder import BestTrialFolder, CompressionFolder, GroupFolder, ModelFolder
from leansort.measure.confidence import MeanInterval, mean_interval
from leansort.recipe.load import validate_recipe
from leansort.recipe.schema import Recipe
from leansort.report.model_card_page import ModelFacts
from leansort.workflows.cards.bundle_facts import (
    base_of,
    data_of,
    facts_of_bundle,
    packs_of,
    part,
    seed_of,
    versions_of,
)


@dataclass(frozen=True)
class ReleaseSource:
    """What is passed on.

    Attributes:
        artifact: a network or bundle.
        recipe: that it was made by.
        recipe_tree: the same as it stands in the folder.
        command: of leansort that makes it again.
        seeds: validation macro-F1 of the recipe's seeds, where there are several.
    """

    artifact: TrainedModel | Bundle
    recipe: Recipe
    recipe_tree: JsonObject
    command: str
    seeds: MeanInterval | None

    @property
    def facts(self) -> ModelFacts:
        """What the artifact tells of itself."""
        if isinstance(self.artifact, TrainedModel):
            return _facts_of_network(self.artifact)
        return facts_of_bundle(self.artifact)

    @property
    def preprocess(self) -> Preprocess:
        """How pictures become its input."""
        return self.artifact.preprocess

    @property
    def earlier_card(self) -> BundleCard | None:
        """The card that a bundle has already."""
        return None if isinstance(self.artifact, TrainedModel) else self.artifact.meta.card

    def with_card(self, card: BundleCard, name: str) -> ReleaseSource:
        """Return the same with a card and name in it, where it is a bundle."""
        if isinstance(self.artifact, TrainedModel):
            return self
        meta = self.artifact.meta.model_copy(update={"card": card, "name": name})
        return replace(self, artifact=replace(self.artifact, meta=meta))

    def save(self, out: ModelFolder) -> None:
        """Write the artifact's files."""
        if isinstance(self.artifact, TrainedModel):
            self.artifact.save(out.model)
            out.spec.write(self.artifact.spec)
        else:
            self.artifact.save(out.bundle)


def source_of_training(run: Path) -> ReleaseSource:
    """A training's best network, or the network that a step of a compression left.

    Raises:
        UserError: `run` holds none, or no recipe beside it or, of a step, in the compression's folder.
    """
    model, compression = trained_model.load(run), CompressionFolder.of_step(run)
    if compression and not ModelFolder(run).recipe.exists():
        tree, recipe = _recipe(compression)
        return ReleaseSource(model, recipe, tree, "compress recipe.json NETWORK", None)
    folder = ModelFolder(run)
    tree, recipe = _recipe(folder)
    if folder.card.exists() and recipe.compress.steps:  # made by `leansort card` of a step of a compression
        return ReleaseSource(model, recipe, tree, "compress recipe.json NETWORK", None)
    seeds = _spread(GroupFolder(run.parent).repeats, "runs", "val_macro_f1")
    return ReleaseSource(model, recipe, tree, "train recipe.json", seeds)


def source_of_bundle(path: Path) -> ReleaseSource:
    """A bundle, and the recipe in the nearest folder above it that has one.

    Raises:
        UserError: there is no such recipe, or it is not the bundle's.
        IntegrityError: the bundle is damaged.
    """
    bundle = bundles.load(path)
    above = [folder for folder in map(ModelFolder, path.resolve().parents) if folder.recipe.exists()]
    if not above:
        raise UserError(f"card: no recipe.json lies in a folder above {path}; name a bundle within its run's folder")
    tree, recipe = _recipe(above[0])
    known = bundle.meta.provenance
    if recipe.digest == known.get("recipe"):
        seeds = _spread(BestTrialFolder(above[0].path.parent).best, "claims", "macro_f1")
        return ReleaseSource(bundle, recipe, tree, "run recipe.json", seeds)
    if recipe.digest == part(known, "compressed").get("recipe"):
        return ReleaseSource(bundle, recipe, tree, "compress recipe.json NETWORK", None)
    if above[0].card.exists() and above[0].bundle.resolve() == path.resolve():  # made by `leansort card` before
        whole = part(known, "compressed").get("recipe", known.get("recipe")) == known.get("recipe")
        command = "run recipe.json" if whole else "compress recipe.json NETWORK"
        return ReleaseSource(bundle, recipe, tree, command, _seeds_of_card(bundle))
    raise UserError(f"card: {path} was not made by the recipe in {above[0].path}")


def _seeds_of_card(bundle: Bundle) -> MeanInterval | None:
    """What an earlier card tells of further seeds."""
    known = bundle.meta.card.seeds if bundle.meta.card else None
    return MeanInterval(**known.model_dump()) if known else None


def _recipe(folder: ModelFolder) -> tuple[JsonObject, Recipe]:
    """As it stands in a folder, and checked."""
    tree = folder.recipe.read(JsonObject, "card")
    return tree, validate_recipe(tree, f"in {folder.path}")


def _facts_of_network(model: TrainedModel) -> ModelFacts:
    network, known = merge_branches(model.network()), model.provenance
    size = sum(tensor.nbytes for tensor in model.weights.values())
    return ModelFacts(
        base=base_of(model.spec.to_json()),
        parameters=parameters(network),
        macs=macs(network, model.preprocess.size),
        preprocess=model.preprocess,
        labels=model.labels.names,
        weights=f"{size / 1e6:.1f} MB, 32-bit, {ModelFolder(Path()).model}",
        data=data_of(known),
        versions=versions_of(known),
        seed=seed_of(known),
        packs=packs_of(known),
    )


def _spread(file: JsonFile, runs: str, score: str) -> MeanInterval | None:
    """Of what several seeds left beside this one; folds are no seeds."""
    try:
        tree = file.read(JsonObject, "card") if file.exists() else {}
    except IntegrityError:  # some other file of that name
        return None
    listed = tree.get(runs)
    if not isinstance(listed, list):
        return None
    scores = [item.get(score) if isinstance(item, dict) else None for item in listed if not _is_fold(item)]
    numbers = [float(item) for item in scores if isinstance(item, float | int) and not isinstance(item, bool)]
    return mean_interval(numbers) if numbers and len(numbers) == len(scores) else None


def _is_fold(run: JsonValue) -> bool:
    return isinstance(run, dict) and run.get("fold") is not None
