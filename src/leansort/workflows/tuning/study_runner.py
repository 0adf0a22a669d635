"""`leansort tune`: look for the best network within a budget, measured on the engine that will run it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from leansort.core import manifest as manifests
from leansort.core.errors import EngineError, LeansortError, MachineError, MissingExtraError, UserError
from leansort.core.manifest import Manifest
from leansort.core.process.console import say
from leansort.core.run_folder import StudyFolder
from leansort.core.writing import atomic_io
from leansort.data.loading.encoded_photos import encoded_val
from leansort.measure.robustness.stress_setting import StressSetting
from leansort.recipe.load import validate_recipe as validated_recipe
from leansort.recipe.schema import Recipe
from leansort.search import storage as storages
from leansort.search import study_setup
from leansort.search.objectives import Objectives
from leansort.search.search_config import SearchConfig
from leansort.search.spaces import space as spaces
from leansort.search.spaces import space_parser
from leansort.search.spaces.space import merge_parameters
from leansort.search.study import Study, StudyTrial, TrialLost
from leansort.search.trials.heartbeat import PATIENCE_S
from leansort.search.trials.trial_outcome import TrialOutcome
from leansort.train.loop import TrainingInterrupted
from leansort.workflows.data.import_data import data_for, import_data
from leansort.workflows.data.stressed.stressed_val import require_enough_crops, stressed_val
from leansort.workflows.tuning.cost_evaluator import CostEvaluator
from leansort.workflows.tuning.trial_evaluation import TrialEvaluator

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


@dataclass(frozen=True)
class StudyLocation:
    """Where a study is, and what it is called.

    Attributes:
        out: folder for trials and reports.
        storage: a database's URL, or a journal file's path.
        name: of the study.
    """

    out: Path
    storage: str
    name: str


def locate_study(out: Path, storage: str, name: str) -> StudyLocation:
    """Where a study of a folder is kept: in its own journal, if no storage is named."""
    return StudyLocation(out, storage or str(StudyFolder(out).journal), name)


def tune(
    config: SearchConfig,
    recipe: Recipe,
    where: StudyLocation,
    *,
    manifest: Path | None = None,
    resume: bool = False,
    workers: int = 1,
) -> list[str]:
    """Begin a study, or go on with it, and work on it until it has its trials.

    Args:
        config: what to search.
        recipe: what candidates start from.
        where: the study; its folder gets the data, `trials/` and a log for each further worker.
        manifest: the data; None imports those of the recipe.
        resume: go on with what is there.
        workers: processes of this machine that work on it, this one included.

    Returns:
        A line for each trial that this process did.

    Raises:
        UserError: the folder is not empty and `resume` not set, the study is another's, the space has keys that
            recipes have not, or the stress does not suit the data.
        Interrupted: the user stopped it.
    """
    storages.quiet()
    _require_known_keys(config, recipe)
    config = with_target_limits(config, recipe)  # kept with the study, for all who join it
    for name, setting in _stress_settings(config, recipe).items():
        require_enough_crops(setting, manifest, name)
    atomic_io.new_folder(where.out, "tune", reuse=resume, resumable=True)
    with storages.closing(storages.open_storage(where.storage)) as storage:
        rows = data_for(recipe, where.out, manifest, resume=True)
        objectives = config.wanted(recipe.contest)
        for name, setting in _stress_settings(config, recipe).items():
            stressed_val(setting, rows, recipe.preprocess, StudyFolder(where.out).cache, name)
        study_setup.create(storage, config, recipe.to_json(), rows.labels.names, rows.digest, objectives)
        with _others(where, manifest or where.out, workers - 1):
            return _work(storage, config, recipe, rows, where.out)


def _stress_settings(config: SearchConfig, recipe: Recipe) -> dict[str, StressSetting]:
    """The stress of the search and of the recipe, by name; what does not suit the data would make all trials unfit."""
    given = {"stress": config.stress_setting, "compress.stress": recipe.compress.stress}
    return {name: setting for name, setting in given.items() if setting is not None}


def with_target_limits(config: SearchConfig, recipe: Recipe) -> SearchConfig:
    """A search that also keeps to the limits of its recipe's target and goal, unless its own constraints differ."""
    goal = recipe.goal.limits if recipe.goal else {}
    return config.model_copy(update={"constraints": {**recipe.target.limits, **goal, **config.constraints}})


def _require_known_keys(config: SearchConfig, recipe: Recipe) -> None:
    """A mistyped key would make every candidate unfit."""
    if targets := [key for key in config.space if key.partition(".")[0] == "target"]:
        raise UserError(f"space.{targets[0]}: all candidates are for the recipe's target; set it there")
    if recipe.distill.teacher_recipes:
        raise UserError(
            "distill.teacher_recipes: a search would train a teacher for each candidate; train it once, and name its "
            "folder in distill.teachers"
        )
    base = recipe.to_json()
    for tree in spaces.covers(space_parser.parse_space(config.space)):
        try:
            validated_recipe(merge_parameters(base, tree), "from the space")
        except UserError as error:
            if "unknown key" in str(error):
                raise


def join_study(
    where: StudyLocation, *, manifest: Path | None = None, data: Path | None = None, patience: float | None = None
) -> list[str]:
    """Work on a study that another process began.

    Args:
        where: the study; its folder gets this worker's trials.
        manifest: the data; None takes those in the folder, or imports the recipe's.
        data: replaces the recipe's `data.path`.
        patience: seconds of silence after which a worker of another machine counts as dead.

    Raises:
        UserError: there is no such study, or the data are others than the study's.
        Interrupted: the user stopped it.
    """
    storages.quiet()
    with storages.closing(storages.open_storage(where.storage)) as storage:
        made = study_setup.require(storage, where.name)
        study_setup.require_version(made.version, where.name)
        config, recipe = made.search, _recipe(made.recipe, data)
        there = manifest or (where.out if StudyFolder(where.out).manifest.exists() else None)
        rows = manifests.load(there) if there else import_data(recipe.data, where.out, seed=recipe.seed)
        if rows.digest != made.data:
            if not there:
                StudyFolder(where.out).manifest.unlink()  # not to be taken for the study's by the next who comes
            raise UserError(
                f"tune: the data here are not those of study {where.name!r}; name them by --manifest or --data"
            )
        return _work(storage, config, recipe, rows, where.out, patience)


def _work(
    storage: BaseStorage, config: SearchConfig, recipe: Recipe, rows: Manifest, out: Path, patience: float | None = None
) -> list[str]:
    objectives = config.wanted(recipe.contest)
    study = Study(storage, config, objectives, patience=PATIENCE_S if patience is None else patience)
    coster = CostEvaluator(
        config,
        recipe.target,
        objectives,
        rows.labels,
        encoded_val(rows, recipe.seed),
        rows.digest,
        StudyFolder(out).dry_run,
    )
    candidates = TrialEvaluator(study, coster, recipe.to_json(), rows, out)
    until = time.monotonic() + 60 * config.minutes if config.minutes else None
    lines = []
    while until is None or time.monotonic() < until:
        trial = study.ask()
        if trial is None:
            if study.wait(say):
                continue
            break
        lines.append(do_trial(study, candidates, trial, objectives))
        say(lines[-1])
    return lines


def do_trial(study: Study, candidates: TrialEvaluator, trial: StudyTrial, objectives: Objectives) -> str:
    """Look at a candidate, tell the study, and say what became of it in one line.

    Raises:
        TrainingInterrupted: the user stopped it; the trial is given back.
        MachineError: the disk is full, or the database away; the trial is given back.
        MissingExtraError: a library is not installed here; the trial is given back.
        EngineError: the engine crashed, hung or failed when it was tried; the trial is given back.
    """
    try:
        return trial_line(trial.number, candidates.finish(trial), objectives)
    except TrialLost as lost:
        return str(lost)
    except (TrainingInterrupted, KeyboardInterrupt) as stopped:
        study.give_back(trial, "its worker was stopped")
        where = f"tune stopped in trial {trial.number}"
        raise TrainingInterrupted(f"{where}, kept; go on with --resume, a solve with the same command") from stopped
    except (MachineError, MissingExtraError, EngineError):
        with suppress(LeansortError):  # the database may be what is away
            study.give_back(trial, "its worker failed")
        raise


def trial_line(number: int, outcome: TrialOutcome, objectives: Objectives) -> str:
    """What became of a trial, in one line."""
    shown = dict.fromkeys((*objectives.costs, *objectives.limits))
    costs = "  ".join(f"{name} {outcome.costs[name]:.4g}" for name in shown if name in outcome.costs)
    f1 = f"  macro-F1 {outcome.f1:.4f} after {outcome.epochs} epochs" if outcome.epochs else ""
    f1 += "" if outcome.stressed_f1 is None else f", {outcome.stressed_f1:.4f} under stress"
    note = f"  ({outcome.note})" if outcome.note else ""
    return f"trial {number}: {outcome.kind}  {costs}{f1}  {outcome.seconds:.1f} s{note}"


@contextmanager
def _others(where: StudyLocation, manifest: Path, count: int) -> Iterator[None]:
    """Further workers of this machine; each writes what it says into a log. They end when the study has its trials."""
    command = [sys.executable, "-m", "leansort", "tune", "worker", str(where.out), "--storage", where.storage]
    command += ["--study", where.name, "--manifest", str(manifest)]
    started, logs = [], []
    try:
        for number in range(count):
            logs.append(StudyFolder(where.out).worker_log(number + 2).open("ab"))
            started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=logs[-1], stderr=logs[-1]))
        yield
    except BaseException:
        for item in started:
            item.terminate()
        raise
    finally:
        codes = [entry.wait() for entry in started]
        for log in logs:
            log.close()
    failed = [StudyFolder(where.out).worker_log(number + 2) for number, code in enumerate(codes) if code]
    if failed:
        raise LeansortError(f"tune: {len(failed)} of {count} further workers failed; see {failed[0]}")


def _recipe(tree: dict[str, JsonValue], data: Path | None) -> Recipe:
    if data is not None:
        tree = merge_parameters(tree, {"data.path": str(data)})
    return validated_recipe(tree, "of the study")
