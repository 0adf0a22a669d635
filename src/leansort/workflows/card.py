"""`leansort card`: a trained network made fit to be passed on, with its architecture, recipe and model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from leansort.arch import trained
from leansort.arch.build import macs, parameters
from leansort.arch.trained import TrainedModel, logits
from leansort.core import store
from leansort.core.manifest import Manifest
from leansort.data.crops import Crops
from leansort.data.loader import eval_batches
from leansort.measure.accuracy import macro_f1_interval, per_class
from leansort.measure.spread import Spread, spread
from leansort.report import card as cards
from leansort.report.card import Card
from leansort.workflows.train import crops

FILES = ("model.safetensors", "spec.json", "recipe.json", "README.md")


def card(run: Path, manifest: Manifest, out: Path, *, name: str = "", notes: Sequence[str] = ()) -> dict[str, Any]:
    """Write a model's folder: `model.safetensors`, `spec.json`, `recipe.json` and the card, `README.md`.

    Args:
        run: folder of a training; where it lies in a folder of several seeds, the card tells their spread.
        manifest: whose val crops it is scored on.
        out: the folder to make.
        name: of the model; the folder's name by default.
        notes: paragraphs on data, licence and limits.

    Returns:
        Macro-F1, parameters and bytes, and where the folder is.

    Raises:
        UserError: `run` is no training, its labels are not the manifest's, or `out` holds something.
    """
    model, recipe = trained.load(run), store.read_json(run / "recipe.json", "card")
    model.labels.require_same(manifest.labels, "the model", "the manifest")
    with store.scratch() as folder:
        val = crops(manifest, "val", model.preprocess, folder)
        made = _card(model, val, name or out.name, recipe, run, notes)
    store.new_folder(out, "card")
    model.save(out / "model.safetensors")
    store.write_json(out / "spec.json", model.spec.to_json())
    store.write_json(out / "recipe.json", _anywhere(recipe))
    store.write_text(out / "README.md", cards.text(made))
    size = sum((out / file).stat().st_size for file in FILES)
    return {"macro_f1": made.f1.value, "parameters": parameters(model.network()), "bytes": size, "folder": str(out)}


def _card(model: TrainedModel, val: Crops, name: str, recipe: dict[str, Any], run: Path, notes: Sequence[str]) -> Card:
    truth, names = np.asarray(val.labels, np.int64), model.labels.names
    said = logits(model.network(), model.preprocess, eval_batches(val.pixels, 64)).argmax(1).numpy()
    return Card(
        name=name, title=recipe["title"] or recipe["name"], facts=cards.facts(_plain(model)), split="val",
        f1=macro_f1_interval(truth, said, len(names)), crops=len(truth), classes=per_class(truth, said, names),
        seeds=_seeds(run), reproduce=f"leansort train recipe.json seed={recipe['seed']} --data FOLDER", notes=notes,
    )  # fmt: skip


def _plain(model: TrainedModel) -> dict[str, Any]:
    network, known = model.network(), model.provenance
    versions = {key: known["versions"][key] for key in ("leansort", "torch") if key in known.get("versions", {})}
    return {
        "base": model.spec.base + (f", width {model.spec.width:g}" if model.spec.width != 1 else ""),
        "parameters": parameters(network), "macs": macs(network, model.preprocess.size), "labels": model.labels.names,
        "preprocess": model.preprocess.model_dump(mode="json"), "data": known.get("data", "unknown"),
        "bytes": sum(tensor.nbytes for tensor in model.weights.values()),
        "versions": ", ".join(f"{key} {value}" for key, value in versions.items()),
    }  # fmt: skip


def _anywhere(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe without where its photos lay on the machine that trained."""
    return {**recipe, "data": {**recipe["data"], **({"path": "photos"} if "path" in recipe["data"] else {})}}


def _seeds(run: Path) -> Spread | None:
    """The spread of the runs that `train --seeds` left beside this one."""
    path = run.parent / "repeat.json"
    if not path.exists():
        return None
    found = [one["val_macro_f1"] for one in store.read_json(path, "card")["runs"] if one["fold"] is None]
    return spread(found) if found else None
