"""What a search found: its report, and its winner as a complete recipe that is trained anew before any claim."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from leansort.core import manifest as manifests
from leansort.core.errors import IntegrityError, UserError, not_one_of
from leansort.core.files import json_documents
from leansort.core.run_folder import BestTrialFolder, StudyFolder
from leansort.core.text import yaml_config
from leansort.core.writing import atomic_io
from leansort.recipe.load import override_recipe, validate_recipe
from leansort.recipe.schema import Recipe
from leansort.report import study_page as report
from leansort.report.study_page import SearchReport
from leansort.search import storage as storages
from leansort.search import study_setup
from leansort.search.objectives import COSTS, MORE_IS_BETTER, STRESSED, Objectives
from leansort.search.search_config import SearchConfig
from leansort.search.spaces import space as spaces
from leansort.search.spaces import space_parser
from leansort.search.study_result import StudyResult
from leansort.search.study_setup import StudyDefinition
from leansort.search.trials.trial_records import TrialRecord, read_records, within_limits
from leansort.workflows.training import cross_validation, run_group
from leansort.workflows.training.train import buildable_spec
from leansort.workflows.tuning import winner_validation
from leansort.workflows.tuning.best_trial_result import BestTrialResult
from leansort.workflows.tuning.study_runner import StudyLocation, locate_study

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.trial import FrozenTrial


def find_study(out: Path, storage: str, name: str) -> StudyLocation:
    """Where a study is that is there already.

    Raises:
        UserError: there is none, or several and none is named.
    """
    storages.quiet()
    import optuna

    where = locate_study(out, storage, name)
    if "://" not in where.storage and not Path(where.storage).exists():
        raise UserError(f"tune: no study in {out} ({where.storage} is not there); name its folder or --storage")
    with storages.closing(storages.open_storage(where.storage)) as opened:
        names = optuna.get_all_study_names(opened)
    if not name and len(names) != 1:
        raise UserError(f"tune: --study: there are {', '.join(names) or 'none'}; name one")
    if name and name not in names:
        raise not_one_of("tune: --study", name, names)
    return StudyLocation(out, where.storage, name or names[0])


def read_study(where: StudyLocation) -> SearchReport:
    """A study's trials and what mattered among them."""
    import optuna

    with storages.closing(storages.open_storage(where.storage)) as opened:
        made = study_setup.require(opened, where.name)
        config = made.search
        objectives = config.wanted(validate_recipe(made.recipe, "of the study").contest)
        study = optuna.load_study(study_name=where.name, storage=opened)
        records = read_records(opened, where.name)
        _require_whole(records, objectives, [direction.name.lower() for direction in study.directions], where.name)
        return SearchReport(config, objectives, records, _importances(study, objectives.names))


def _require_whole(
    records: Sequence[TrialRecord], objectives: Objectives, directions: Sequence[str], name: str
) -> None:
    """Refuse a study whose trials do not have what its search asks for, as one that was changed.

    Raises:
        IntegrityError: naming the trial.
    """
    if list(directions) != list(objectives.directions):
        raise IntegrityError(f"tune: study {name!r} has directions {directions}, its search {objectives.directions}")
    for record in records:
        if len(record.values) not in (0, len(directions)) or (record.counts and not record.values):
            raise IntegrityError(f"tune: study {name!r}: trial {record.number}: got {len(record.values)} values")
        lacking = [cost for cost in objectives.costs if cost not in record.outcome.costs]
        if record.values and lacking:
            raise IntegrityError(f"tune: study {name!r}: trial {record.number}: costs: {lacking[0]} is missing")


def _importances(study: OptunaStudy, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """By objective; of the parameters that Optuna can judge, none where trials are too few or all alike."""
    import optuna

    fractions = {}
    for at, name in enumerate(names):
        sign = -1 if name in MORE_IS_BETTER else 1  # the method looks at what makes values low
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it says which values it takes for good
                fractions[name] = optuna.importance.get_param_importances(study, target=partial(_value, at, sign))
        except Exception:  # whatever it is that Optuna cannot judge
            continue
    return fractions


def _value(at: int, sign: int, trial: FrozenTrial) -> float:
    return float(sign * trial.values[at])


def write_study_report(where: StudyLocation) -> StudyResult:
    """Write `tune.html`, `tune.json` and `tune.md` into the study's folder; return what `tune.json` holds."""
    seen, folder = read_study(where), StudyFolder(where.out)
    result = seen.result
    pages = (folder.result.path, folder.table.path, folder.page.path)
    json_documents.require_within(where.out, *pages)  # before any of them is written
    folder.result.write(result)
    folder.table.write(report.text(seen) + "\n")
    folder.page.write(report.page(seen))
    return result


def study_text(out: Path) -> str:
    """The written summary, and where the page is."""
    folder = StudyFolder(out)
    return f"{folder.table.read('tune report').strip()}\n\nreport  {folder.page}"


def warm_start(config: SearchConfig, folders: Sequence[Path]) -> SearchConfig:
    """A search that first looks at what earlier studies found best, as far as its space knows their parameters.

    Raises:
        UserError: a folder holds no study, or its front has no parameter in common with this space.
    """
    known = spaces.parameters(space_parser.parse_space(config.space))
    start = list(config.start)
    for folder in folders:
        where = find_study(folder, "", "")
        earlier = read_study(where).front
        taken = [
            {name: value for name, value in record.params.items() if name in known and known[name].holds(value)}
            for record in earlier
        ]
        if not any(taken):
            raise UserError(f"tune: --from {folder}: none of its best has a parameter of this space")
        start += [item for item in taken if item and item not in start]
    return config.model_copy(update={"start": tuple(start)})


def parse_limits(given: Sequence[str]) -> dict[str, float]:
    """Further limits, from `name=value`.

    Raises:
        UserError: no such name, or no number over 0.
    """
    limits = {}
    for item in given:
        name, _, value = item.partition("=")
        if name not in (*MORE_IS_BETTER, *COSTS):
            raise not_one_of("budget", name, (*MORE_IS_BETTER, *COSTS))
        try:
            limits[name] = float(value)
        except ValueError:
            limits[name] = -1.0
        if not limits[name] > 0:
            raise UserError(f"budget: got {item!r}, need {name}=NUMBER over 0")
    return limits


def train_best_trial(
    where: StudyLocation,
    limits: dict[str, float],
    trial: int | None,
    out: Path,
    *,
    overrides: Sequence[str] = (),
    seeds: int,
    manifest: Path | None = None,
    resume: bool = False,
) -> BestTrialResult:
    """Write a trial's complete recipe and architecture, and train it with several seeds.

    Args:
        where: the study.
        limits: that the winner keeps to, beside the study's own.
        trial: take this one instead.
        out: gets `recipe.yaml`, `archspec.json`, `best.json` and a folder for each seed, with its bundle.
        overrides: of the trial's recipe.
        seeds: how many; 0 trains none.
        manifest: the data; None takes those in the study's folder.
        resume: go on with what is in `out`.

    Raises:
        UserError: no trial keeps to the limits, there is no such trial, the data are not the study's, or `out` is not
            empty.
    """
    seen, made = read_study(where), _made(where)
    if STRESSED in limits and seen.config.stress_setting is None:
        raise UserError(f"budget: {STRESSED} was not measured in this study; a search with a stress section does so")
    record = _chosen(seen, limits, trial)
    recipe = override_recipe(record.recipe, overrides, f"of trial {record.number}")
    there, classes = manifest or where.out, len(made.labels)
    if seeds and manifests.load(there).digest != made.data:
        raise UserError(f"tune best: the data in {there} are not those of the study; name them by --manifest")
    result = BestTrialResult(
        trial=record.number,
        kind=record.outcome.kind,
        macro_f1=record.outcome.f1,
        stressed_macro_f1=record.outcome.stressed_f1,
        costs=record.outcome.costs,
        cost_names=tuple(dict.fromkeys((*seen.objectives.costs, *seen.objectives.limits))),
        folder=str(out),
    )
    if not seeds:
        atomic_io.new_folder(out, "tune best", reuse=resume, resumable=True)
        _write(record, recipe, classes, out)
        return result
    ground = run_group.open_run_group(recipe, out, manifest=there, cache=StudyFolder(where.out).cache, resume=resume)
    _write(record, recipe, classes, out)
    repeated = cross_validation.train_repeatedly(ground, recipe, seeds=seeds)
    claims = winner_validation.validate_seeds(ground, recipe, repeated.runs, seen.config, seen.objectives)
    result = result.model_copy(update={"seeds": repeated, "claims": tuple(claims)})
    BestTrialFolder(out).best.write(result)
    return result


def _chosen(seen: SearchReport, limits: dict[str, float], trial: int | None) -> TrialRecord:
    if trial is not None:
        same = [record for record in seen.records if record.number == trial]
        if not same or not same[0].recipe:
            raise UserError(f"tune best: there is no finished trial {trial} with a recipe")
        return same[0]
    kept = within_limits(seen.records, limits)
    if not kept:
        text = ", ".join(f"{name}={limit:g}" for name, limit in limits.items()) or "the study's limits"
        raise UserError(f"tune best: none of {len(seen.records)} trials was trained to its end within {text}")
    return max(kept, key=lambda record: (record.outcome.f1, -record.number))


def _made(where: StudyLocation) -> StudyDefinition:
    with storages.closing(storages.open_storage(where.storage)) as opened:
        return study_setup.require(opened, where.name)


def _write(record: TrialRecord, recipe: Recipe, classes: int, out: Path) -> None:
    spec, folder = buildable_spec(recipe, classes), BestTrialFolder(out)
    folder.recipe_yaml.write(yaml_config.to_yaml(recipe.to_json()))
    folder.architecture.write(spec.to_json())
    folder.trial.write(record)


def best_text(result: BestTrialResult) -> str:
    """The winner, and how far it can be trusted."""
    costs = "  ".join(f"{name} {value:.4g}" for name, value in result.costs.items())
    stressed = "" if result.stressed_macro_f1 is None else f", {result.stressed_macro_f1:.4f} under stress,"
    head = f"trial {result.trial}: macro-F1 {result.macro_f1:.4f}{stressed} of one seed  {costs}"
    head += f"\nrecipe  {BestTrialFolder(Path(result.folder)).recipe_yaml}"
    if result.seeds is None:
        return f"{head}\none seed is no claim: train it with --seeds 3"
    return f"{head}\n{winner_validation.seeds_table(result.claims, result.cost_names)}"
