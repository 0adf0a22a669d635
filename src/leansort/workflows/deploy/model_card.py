"""`leansort card`: a network or bundle made fit to be passed on, with its recipe and model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from leansort.compress.evaluation import predict_classes
from leansort.core.files.typed_result import JsonObject, TypedResult
from leansort.core.manifest import Manifest
from leansort.core.run_folder import ModelFolder
from leansort.core.writing import atomic_io
from leansort.data.loading.crops import Crops
from leansort.measure.accuracy.metrics import macro_f1_interval, per_class
from leansort.report import model_card_page as cards
from leansort.report.model_card_page import ModelCard, ModelFacts
from leansort.workflows.deploy.release_source import ReleaseSource, source_of_bundle, source_of_training
from leansort.workflows.training.train import load_crops


class CardResult(TypedResult):
    """A model's folder that was written.

    Attributes:
        macro_f1: on the val crops.
        parameters: weights of the network.
        bytes: of all files in the folder.
        folder: the folder.
    """

    macro_f1: float
    parameters: int
    bytes: int
    folder: Path


def write_model_card(
    run: Path, manifest: Manifest, out: Path, *, name: str = "", notes: Sequence[str] = ()
) -> CardResult:
    """Write a model's folder: its files, `recipe.json` and the card, `README.md`.

    Args:
        run: folder of a training or of a compression's step, whose files are `model.safetensors` and `spec.json`; or a
            bundle that lies below one, whose file is `model.leansort`. Where it is one of several seeds, the card tells
            their spread.
        manifest: whose val crops it is scored on.
        out: the folder to make.
        name: of the model; the folder's name by default.
        notes: paragraphs on data, licence and limits.

    Raises:
        UserError: `run` is no training, no recipe belongs to the bundle, its labels are not the manifest's, or `out`
            holds something.
        IntegrityError: the bundle is damaged.
    """
    passed = source_of_bundle(run) if run.suffix == ".leansort" else source_of_training(run)
    facts = passed.facts
    passed.artifact.labels.require_same(manifest.labels, "the model", "the manifest")
    with atomic_io.scratch() as folder:
        made = _card(passed, facts, load_crops(manifest, "val", passed.preprocess, folder), name or out.name, notes)
    target = ModelFolder(atomic_io.new_folder(out, "card"))
    passed.save(target)
    target.recipe.write(_without_path(passed.recipe_tree))
    target.card.write(cards.text(made))
    size = sum(file.stat().st_size for file in out.iterdir())
    return CardResult(macro_f1=made.f1.value, parameters=facts.parameters, bytes=size, folder=out)


def _card(passed: ReleaseSource, facts: ModelFacts, val: Crops, name: str, notes: Sequence[str]) -> ModelCard:
    truth, names, recipe = np.asarray(val.labels, np.int64), facts.labels, passed.recipe
    predicted = predict_classes(passed.artifact, val)
    return ModelCard(
        name=name,
        title=recipe.title or recipe.name,
        facts=facts,
        split="val",
        f1=macro_f1_interval(truth, predicted, len(names)),
        crops=len(truth),
        classes=per_class(truth, predicted, names),
        seeds=passed.seeds,
        reproduce=f"leansort {passed.command} seed={recipe.seed} --data FOLDER",
        notes=notes,
    )


def _without_path(recipe: JsonObject) -> JsonObject:
    """The recipe without where its photos lay on the machine that trained."""
    data = recipe["data"]
    return {**recipe, "data": {**data, "path": "photos"}} if isinstance(data, dict) and "path" in data else recipe
