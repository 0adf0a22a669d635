"""What a search's winner is worth: trained with several seeds, each made into its bundle, scored and timed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from leansort.arch import trained
from leansort.compress.judging import predicted
from leansort.core import bundle as bundles
from leansort.measure.accuracy import shown_f1
from leansort.measure.spread import spread
from leansort.report import markdown
from leansort.search.config import SearchConfig
from leansort.search.objectives import Objectives
from leansort.workflows.compress import compress
from leansort.workflows.costs import Coster
from leansort.workflows.export import export_bundle
from leansort.workflows.progress import say
from leansort.workflows.recipe import Recipe
from leansort.workflows.several import Ground, with_seed
from leansort.workflows.train import crops
from leansort.workflows.tune import pictures


@dataclass(frozen=True)
class Claim:
    """One seed's bundle.

    Attributes:
        name: of the run.
        bundle: its file.
        trained_f1: macro-F1 on val of the network as it was trained.
        macro_f1: of the bundle, by the search's engine.
        costs: of the bundle.
        measurements: of those that were timed.
        note: where other work disturbed the timing.
    """

    name: str
    bundle: str
    trained_f1: float
    macro_f1: float
    costs: dict[str, float]
    measurements: list[dict[str, Any]]
    note: str


def claims(
    ground: Ground, recipe: Recipe, runs: list[dict[str, Any]], config: SearchConfig, objectives: Objectives
) -> list[Claim]:
    """Make, score and time the bundle of each finished run.

    Args:
        ground: where the runs are.
        recipe: the winner's.
        runs: of `repeat.json`.
        config: the search's, for engine and timing.
        objectives: its objectives and limits.

    Raises:
        LeansortError: a bundle differs from its network, or a pass failed.
    """
    shown = pictures(ground.manifest, recipe.seed)
    coster = Coster(config, objectives, ground.manifest.labels, shown, ground.manifest.digest, ground.out / "dry-run")
    val = crops(ground.manifest, "val", recipe.preprocess, ground.cache)
    truth, found = np.asarray(val.labels), []
    for run in runs:
        path = _bundle(ground, with_seed(recipe, run["seed"]), ground.out / run["name"])
        bundle = bundles.load(path)
        said = predicted(bundle, val, config.engine)
        costs = coster.of_bundle(bundle, recipe)
        found.append(Claim(
            run["name"], str(path), run["val_macro_f1"], shown_f1(truth, said, len(ground.manifest.labels)),
            costs.values, costs.measurements, costs.note,
        ))  # fmt: skip
    return found


def _bundle(ground: Ground, recipe: Recipe, folder: Path) -> Path:
    say(f"bundle of {folder.name}:")
    model = trained.load(folder)
    if recipe.compress.steps:
        compress(recipe, model, ground.manifest, folder / "compress", cache=ground.cache)
        return folder / "compress" / "model.leansort"
    path = folder / "model.leansort"
    export_bundle(model, ground.manifest, path, name=recipe.name, graph_format=recipe.export.format)
    return path


def table(found: list[Claim], objectives: Objectives) -> str:
    """A line for each seed, then means with their spread."""
    costs = [name for name in (*objectives.costs, *objectives.limits) if all(name in one.costs for one in found)]
    costs = list(dict.fromkeys(costs))
    rows = [
        [
            one.name, f"{one.trained_f1:.4f}", f"{one.macro_f1:.4f}", *(f"{one.costs[name]:.4g}" for name in costs),
            one.note,
        ] for one in found
    ]  # fmt: skip
    f1 = spread([one.macro_f1 for one in found])
    said = f"{f1.mean:.4f}" + ("" if f1.std is None else f" ± {f1.std:.4f}")
    means = [f"{fmean(one.costs[name] for one in found):.4g}" for name in costs]
    rows.append(["mean", f"{fmean(one.trained_f1 for one in found):.4f}", said, *means, ""])
    return markdown.table(["run", "trained", "bundle's macro-F1", *costs, ""], rows)


def to_json(found: list[Claim]) -> list[dict[str, Any]]:
    """As plain data."""
    return [asdict(one) for one in found]
