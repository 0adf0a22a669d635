"""Many trainings: the best network within a budget, and what networks do not know without each class in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leansort.api.jobs import resolve, run_folder
from leansort.api.verbs import AnyPath, optional, several, verb, with_device

if TYPE_CHECKING:
    from leansort.recipe.schema import Recipe
    from leansort.search.study_result import StudyResult
    from leansort.workflows.leave_out.leave_out_result import LeaveOutResult
    from leansort.workflows.tuning.best_trial_result import BestTrialResult


@verb(trials=1, minutes=0.01, workers=1, seed=0)
def tune(
    space: AnyPath,
    overrides: Sequence[str] = (),
    *,
    trials: int | None = None,
    minutes: float | None = None,
    workers: int = 1,
    seed: int | None = None,
    warm_start: AnyPath | Sequence[AnyPath] = (),
    storage: str = "",
    data: AnyPath | None = None,
    manifest: AnyPath | None = None,
    engine: str = "",
    device: str = "",
    out: AnyPath | None = None,
    resume: bool = False,
) -> StudyResult:
    """Search for the best network: candidates are priced before they are trained, and stopped where others beat them.

    >>> import leansort
    >>> quick = ["train.epochs=1", "preprocess.size=32"]
    >>> result = leansort.tune("quick", quick, trials=1, manifest="runs/first", out="runs/search")
    >>> len(result.trials)
    1

    Args:
        space: the name of a search in the package, or the path of a YAML file.
        overrides: changes of the recipe that candidates start from.
        trials: candidates to look at in place of the file's number, at least 1.
        minutes: begin no further candidate after so long.
        workers: processes of this machine that work on it, at least 1.
        seed: of the sampler, in place of the file's, at least 0.
        warm_start: folder of an earlier study, or several, whose best are looked at first; `--from` of the command.
        storage: where the study is kept: `postgresql://…`, or a journal file; `study.journal` in `out` where empty.
        data: replaces the recipe's `data.path`.
        manifest: use this manifest, or its folder, in place of importing the recipe's data.
        engine: replaces the recipe's `target.engine` and its settings.
        device: address of `leansort agent` on the device, where latencies are measured; replaces `target.device`.
        out: folder for the study; `runs/NAME` by default, with the search's name.
        resume: go on with the study in `out`.

    Returns:
        Every trial, and which of them no other beats in everything.

    Raises:
        UserError: the search or its recipe is wrong, or `out` holds another study.
    """
    from leansort.search import search_config

    given = {"trials": trials, "minutes": minutes, "seed": seed}
    config = search_config.load(Path(space), {name: value for name, value in given.items() if value is not None})
    recipe = resolve(config.recipe, with_device(overrides, device), data, engine)
    from leansort.workflows.tuning import best_trial, study_runner  # after the check: these load PyTorch

    where = study_runner.locate_study(Path("runs") / config.name if out is None else Path(out), storage, config.name)
    config = best_trial.warm_start(config, several(warm_start))
    study_runner.tune(config, recipe, where, manifest=optional(manifest), resume=resume, workers=workers)
    return best_trial.write_study_report(where)


@verb(trial=0, seeds=0)
def tune_best(
    study_folder: AnyPath,
    overrides: Sequence[str] = (),
    *,
    storage: str = "",
    study: str = "",
    budget: Sequence[str] | Mapping[str, float] = (),
    trial: int | None = None,
    seeds: int = 3,
    manifest: AnyPath | None = None,
    out: AnyPath | None = None,
    resume: bool = False,
) -> BestTrialResult:
    """Write the complete recipe of a study's best network within a budget, and train it anew before any claim.

    >>> import leansort
    >>> best = leansort.tune_best("runs/search", seeds=0)  # the study of `tune`'s example
    >>> best.seeds is None
    True

    Args:
        study_folder: the study's folder.
        overrides: changes of the winner's recipe, as where short trainings ranked what is worth a long one.
        storage: where the study is kept; `study.journal` in its folder where empty.
        study: its name; the only one there where empty.
        budget: further limits, as `{"label_p50_ms": 1.2, "size_mb": 2}`, or as texts such as `size_mb=2`.
        trial: take this trial in place of the best, at least 0.
        seeds: train the winner with so many seeds; 0 only writes its recipe.
        manifest: use this manifest, or its folder, in place of the study's data.
        out: folder for the winner; `best` in the study's folder by default.
        resume: go on with what is in `out`.

    Returns:
        The trial, and what each seed's bundle scores and costs.

    Raises:
        UserError: there is no such study or trial, or none within the budget.
    """
    from leansort.workflows.tuning import best_trial

    limits = [f"{name}={limit}" for name, limit in budget.items()] if isinstance(budget, Mapping) else budget
    where = best_trial.find_study(Path(study_folder), storage, study)
    return best_trial.train_best_trial(
        where,
        best_trial.parse_limits(limits),
        trial,
        where.out / "best" if out is None else Path(out),
        overrides=overrides,
        seeds=seeds,
        manifest=optional(manifest),
        resume=resume,
    )


@verb()
def leave_out(
    recipe: AnyPath | Recipe,
    overrides: Sequence[str] = (),
    *,
    data: AnyPath | None = None,
    manifest: AnyPath | None = None,
    cache: AnyPath | None = None,
    out: AnyPath | None = None,
    resume: bool = False,
) -> LeaveOutResult:
    """Train a recipe without each class in turn; say how well each score of novelty tells the class left out.

    >>> import leansort
    >>> quick = ["train.epochs=1", "preprocess.size=32", "arch.base=tiny_s"]
    >>> result = leansort.leave_out("sample", quick, manifest="runs/first", out="runs/left-out")
    >>> result.complete, all(0 <= mean <= 1 for mean in result.means.values())
    (True, True)

    Args:
        recipe: as for `train`.
        overrides: changes such as `train.epochs=3`; values are YAML.
        data: replaces the recipe's `data.path`.
        manifest: use this manifest, or its folder, in place of importing the recipe's data.
        cache: folder of decoded crops; `cache` in `out` by default.
        out: folder for the results; `runs/NAME-leave-out` by default, with the recipe's name.
        resume: go on with what is in `out`, class by class.

    Returns:
        For each class the AUROC of every score of novelty, with its interval, and their means over the classes.

    Raises:
        UserError: the recipe is wrong, the data cannot be used, there are fewer than three classes, or `out` holds
            something else.
    """
    resolved = resolve(recipe, overrides, data)
    from leansort.workflows.leave_out.leave_out import leave_out as workflow  # after the check: these load PyTorch
    from leansort.workflows.training.run_group import open_run_group

    folder = run_folder(resolved, out, "-leave-out")
    ground = open_run_group(resolved, folder, manifest=optional(manifest), cache=optional(cache), resume=resume)
    return workflow(ground, resolved)
