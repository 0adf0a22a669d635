"""`leansort card`: a network or bundle made fit to be passed on, with its recipe and model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from leansort.compress.evaluation import predict_classes
from leansort.core.files import atomic_io
from leansort.core.manifest import Manifest
from leansort.data.loading.crops import Crops
from leansort.measure.accuracy.metrics import macro_f1_interval, per_class
from leansort.report import model_card_page as cards
from leansort.report.model_card_page import ModelCard
from leansort.workflows.deploy.release_source import ReleaseSource, source_of_bundle, source_of_training
from leansort.workflows.training.train import load_crops


def write_model_card(
    run: Path, manifest: Manifest, out: Path, *, name: str = "", notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Write a model's folder: its files, `recipe.json` and the card, `README.md`.

    Args:
        run: folder of a training or of a compression's step, whose files are `model.safetensors` and `spec.json`; or a
            bundle that lies below one, whose file is `model.leansort`. Where it is one of several seeds, the card tells
            their spread.
        manifest: whose val crops it is scored on.
        out: the folder to make.
        name: of the model; the folder's name by default.
        notes: paragraphs on data, licence and limits.

    Returns:
        Macro-F1, parameters and bytes, and where the folder is.

    Raises:
        UserError: `run` is no training, no recipe belongs to the bundle, its labels are not the manifest's, or `out`
            holds something.
        IntegrityError: the bundle is damaged.
    """
    passed = source_of_bundle(run) if run.suffix == ".leansort" else source_of_training(run)
    plain = passed.plain
    passed.artifact.labels.require_same(manifest.labels, "the model", "the manifest")
    with atomic_io.scratch() as folder:
        made = _card(passed, plain, load_crops(manifest, "val", passed.preprocess, folder), name or out.name, notes)
    atomic_io.new_folder(out, "card")
    passed.save(out)
    atomic_io.write_json(out / "recipe.json", _anywhere(passed.recipe))
    atomic_io.write_text(out / "README.md", cards.text(made))
    size = sum(file.stat().st_size for file in out.iterdir())
    return {"macro_f1": made.f1.value, "parameters": plain["parameters"], "bytes": size, "folder": str(out)}


def _card(passed: ReleaseSource, plain: dict[str, Any], val: Crops, name: str, notes: Sequence[str]) -> ModelCard:
    truth, names, recipe = np.asarray(val.labels, np.int64), plain["labels"], passed.recipe
    text = predict_classes(passed.artifact, val)
    return ModelCard(
        name=name, title=recipe["title"] or recipe["name"], facts=cards.facts(plain), split="val",
        f1=macro_f1_interval(truth, text, len(names)), crops=len(truth), classes=per_class(truth, text, names),
        seeds=passed.seeds, reproduce=f"leansort {passed.command} seed={recipe['seed']} --data FOLDER",
        notes=notes,
    )  # fmt: skip


def _anywhere(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe without where its photos lay on the machine that trained."""
    return {**recipe, "data": {**recipe["data"], **({"path": "photos"} if "path" in recipe["data"] else {})}}
