"""What can be passed on: a trained network or a bundle, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leansort.arch import trained_model
from leansort.arch.build import macs, parameters
from leansort.arch.trained_model import TrainedModel
from leansort.core import bundle as bundles
from leansort.core.bundle import Bundle
from leansort.core.errors import IntegrityError, UserError
from leansort.core.files import atomic_io, json_documents
from leansort.core.preprocess import Preprocess
from leansort.measure.confidence import MeanInterval, mean_interval
from leansort.recipe.load import validate_recipe
from leansort.recipe.schema import Recipe

STEPS = "steps"  # folder of a compression that holds one for each step


@dataclass(frozen=True)
class ReleaseSource:
    """What is passed on: a network or bundle, the recipe and command it was made by, and that recipe's seeds."""

    artifact: TrainedModel | Bundle
    recipe: dict[str, Any]
    command: str
    seeds: MeanInterval | None

    @property
    def plain(self) -> dict[str, Any]:
        """Facts of the artifact as plain data."""
        return _network(self.artifact) if isinstance(self.artifact, TrainedModel) else _bundle(self.artifact)

    @property
    def preprocess(self) -> Preprocess:
        """How pictures become its input."""
        return self.artifact.preprocess if isinstance(self.artifact, TrainedModel) else self.artifact.meta.preprocess

    def save(self, out: Path) -> None:
        """Write the artifact's files."""
        if isinstance(self.artifact, TrainedModel):
            self.artifact.save(out / "model.safetensors")
            atomic_io.write_json(out / "spec.json", self.artifact.spec.to_json())
        else:
            self.artifact.save(out / "model.leansort")


def source_of_training(run: Path) -> ReleaseSource:
    """A training's best network, or the network that a step of a compression left.

    Raises:
        UserError: `run` holds none, or no recipe beside it or, of a step, in the compression's folder.
    """
    model = trained_model.load(run)
    if run.resolve().parent.name == STEPS and not (run / "recipe.json").exists():
        tree, _ = _recipe(run.resolve().parent.parent)
        return ReleaseSource(model, tree, "compress recipe.json NETWORK", None)
    tree, _ = _recipe(run)
    return ReleaseSource(model, tree, "train recipe.json", _spread(run.parent / "repeat.json", "runs", "val_macro_f1"))


def source_of_bundle(path: Path) -> ReleaseSource:
    """A bundle, and the recipe in the nearest folder above it that has one.

    Raises:
        UserError: there is no such recipe, or it is not the bundle's.
        IntegrityError: the bundle is damaged.
    """
    bundle = bundles.load(path)
    above = [folder for folder in path.resolve().parents if (folder / "recipe.json").exists()]
    if not above:
        raise UserError(f"card: no recipe.json lies in a folder above {path}; name a bundle within its run's folder")
    tree, recipe = _recipe(above[0])
    known = bundle.meta.provenance
    if recipe.digest == known.get("recipe"):
        return ReleaseSource(
            bundle, tree, "run recipe.json", _spread(above[0].parent / "best.json", "claims", "macro_f1")
        )
    if recipe.digest == _part(known, "compressed").get("recipe"):
        return ReleaseSource(bundle, tree, "compress recipe.json NETWORK", None)
    raise UserError(f"card: {path} was not made by the recipe in {above[0]}")


def _recipe(folder: Path) -> tuple[dict[str, Any], Recipe]:
    """As it stands in a folder, and checked."""
    tree = json_documents.read(folder / "recipe.json", dict[str, Any], "card")
    return tree, validate_recipe(tree, f"in {folder}")


def _network(model: TrainedModel) -> dict[str, Any]:
    network, size = model.network(), sum(tensor.nbytes for tensor in model.weights.values())
    return {
        **_origin(model.spec.to_json(), model.provenance),
        "parameters": parameters(network), "macs": macs(network, model.preprocess.size), "labels": model.labels.names,
        "preprocess": model.preprocess.model_dump(mode="json"),
        "weights": f"{size / 1e6:.1f} MB, 32-bit, model.safetensors",
    }  # fmt: skip


def _bundle(bundle: Bundle) -> dict[str, Any]:
    meta, size = bundle.meta, len(bundle.to_bytes())
    whole = _part(meta.provenance, "half").get("weights", "32-bit")
    kind = _part(meta.provenance, "quantized").get("weights", whole)
    return {
        **_origin(_part(meta.provenance, "spec"), meta.provenance),
        "parameters": meta.parameters, "macs": meta.macs, "labels": meta.labels,
        "preprocess": meta.preprocess.model_dump(mode="json"),
        "weights": f"{size / 1e6:.1f} MB, {kind}, model.leansort ({bundle.format})",
    }  # fmt: skip


def _origin(spec: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    listed, width = _part(known, "versions"), spec.get("width")
    versions = {key: listed[key] for key in ("leansort", "torch") if key in listed}
    return {
        "base": str(spec.get("base", "unknown"))
        + (f", width {width:g}" if isinstance(width, float) and width != 1 else ""),
        "data": known.get("data", "unknown"),
        "versions": ", ".join(f"{key} {value}" for key, value in versions.items()),
    }


def _part(provenance: dict[str, Any], name: str) -> dict[str, Any]:
    """An object in a provenance, where anything may stand; empty where there is none."""
    result = provenance.get(name)
    return result if isinstance(result, dict) else {}


def _spread(path: Path, runs: str, score: str) -> MeanInterval | None:
    """Of what several seeds left beside this one; folds are no seeds."""
    if not path.exists():
        return None
    try:
        listed = json_documents.read(path, dict[str, Any], "card")[runs]
        result = [item[score] for item in listed if item.get("fold") is None]
    except (KeyError, TypeError, AttributeError, IntegrityError):  # some other file of that name
        return None
    plain = all(isinstance(item, float | int) and not isinstance(item, bool) for item in result)
    return mean_interval(result) if result and plain else None
