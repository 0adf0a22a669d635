"""Where no recipe meets the goal and time is left: a search for a network within the goal's budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leansort.core.errors import UserError
from leansort.core.manifest import Manifest
from leansort.core.text import yaml_config
from leansort.recipe.load import change_recipe, load_recipe, validate_recipe
from leansort.recipe.schema import Recipe
from leansort.search import search_config
from leansort.search.objectives import F1
from leansort.workflows.solving.candidate_pricing import step_seconds
from leansort.workflows.solving.candidate_recipes import adapt_recipe, with_teachers
from leansort.workflows.solving.candidate_work import SolveGround
from leansort.workflows.solving.epoch_budget import OVERHEAD_S, training_seconds
from leansort.workflows.solving.solve_settings import SolveSettings
from leansort.workflows.tuning import best_trial
from leansort.workflows.tuning.study_runner import locate_study, tune

STAGE = "search"
NAME = "searched"  # the winner as a candidate
SHARE = 0.6  # of the time that is left: the winner is trained in the rest
LEAST_S = 120.0  # seconds that a search needs to tell anything


def search_network(
    ground: SolveGround, settings: SolveSettings, teachers: Sequence[Path], seconds: float | None
) -> Recipe | None:
    """Search for a network within the goal's budget, as the stage `search`.

    Args:
        ground: what all candidates have in common.
        settings: name the search and its trials.
        teachers: folders of networks that were trained for this goal; candidates learn from them.
        seconds: that are left for all that comes; None: no limit.

    Returns:
        The winner's recipe; None where no trial kept to the budget.
    """
    folder, limits = ground.folder, {k: v for k, v in settings.goal.limits.items() if k != F1}
    changes: dict[str, object] = {"trials": settings.trials, "seed": settings.seed}
    if seconds is not None:
        changes["minutes"] = SHARE * seconds / 60
    config = search_config.load(settings.search, changes)  # type: ignore[arg-type]
    kept = {} if limits else config.constraints
    costs = tuple(dict.fromkeys((F1, *(name for name in limits if name.endswith("_ms")))))
    config = config.model_copy(update={"constraints": {**kept, **limits}, "objectives": costs})
    base = change_recipe(search_recipe(config.recipe, settings), settings.overrides)
    base = with_teachers(base, list(teachers)) if teachers else base
    where = locate_study(folder.study.path, "", config.name)
    winner = folder.searched

    def search() -> None:
        tune(config, base, where, manifest=folder.without_leaks.manifest, resume=True)
        study = best_trial.write_study_report(where)
        try:
            best_trial.train_best_trial(where, limits, None, winner.path, seeds=0, resume=True)
            ground.stages.note(STAGE, f"{len(study.trials)} trials")
        except UserError as none_fits:
            winner.recipe_yaml.remove()
            ground.stages.note(STAGE, str(none_fits))

    rests_on = [config.digest, settings.trials, base.digest, ground.manifest.digest]
    ground.stages.do(STAGE, rests_on, [winner.recipe_yaml.path], search, clear=folder.study.path)
    if not winner.recipe_yaml.exists():
        return None
    tree = yaml_config.read_yaml(winner.recipe_yaml.path, "recipe", "name, data, train")
    found = validate_recipe({**tree, "name": NAME}, str(winner.recipe_yaml))
    full = found.train.model_copy(update={"epochs": base.train.epochs})
    return found.model_copy(update={"train": full})


def search_recipe(path: Path, settings: SolveSettings) -> Recipe:
    """The recipe that a search starts from, on the data and the target of the goal."""
    return adapt_recipe(load_recipe(path), settings, packaged=True).recipe


def winner_seconds(winner: Recipe, manifest: Manifest) -> float:
    """Roughly the seconds that the winner's training takes with all its epochs."""
    step = step_seconds(winner, len(manifest.labels))
    return OVERHEAD_S + training_seconds(winner, step, len(manifest.split("train")))
