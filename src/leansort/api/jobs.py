"""Whole jobs: a recipe, what it runs to, and its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leansort.api.verbs import AnyPath, optional, verb, with_device

if TYPE_CHECKING:
    from leansort.recipe.schema import Recipe
    from leansort.workflows.finishing.run_result import RunResult


@verb()
def load_recipe(
    recipe: AnyPath | Recipe, overrides: Sequence[str] = (), *, data: AnyPath | None = None, engine: str = ""
) -> Recipe:
    """Read a recipe, apply overrides, and check every key.

    >>> import leansort
    >>> recipe = leansort.load_recipe("sample", ["train.epochs=3"])
    >>> recipe.train.epochs
    3

    Args:
        recipe: the name of a recipe in the package, such as `sample`; the path of a YAML file; or a recipe.
        overrides: changes such as `train.epochs=3`; values are YAML.
        data: replaces the recipe's `data.path`.
        engine: replaces the recipe's `target.engine` and its settings, such as `openvino:precision=bf16`.

    Returns:
        The resolved recipe, a frozen pydantic model.

    Raises:
        UserError: there is no such recipe, or it is wrong in any place; the message lists every fault.
    """
    return resolve(recipe, overrides, data, engine)


@verb()
def run(
    recipe: AnyPath | Recipe,
    overrides: Sequence[str] = (),
    *,
    data: AnyPath | None = None,
    out: AnyPath | None = None,
    engine: str = "",
    device: str = "",
    resume: bool = False,
) -> RunResult:
    """Do a recipe's whole job: data, training, compression, export, measurement, score, report.

    A recipe with a `goal` is tried first of those that may meet it, as by `solve`; the result is then a `SolveResult`.

    >>> import leansort
    >>> quick = ["data.train=8", "data.val=4", "data.test=4", "preprocess.size=32", "arch.base=tiny_s"]
    >>> quick += ["train.epochs=1", "bench.seconds=0.1", "bench.queries=10", "bench.starts=0"]
    >>> result = leansort.run("sample", quick, out="runs/first")
    >>> result.split, result.bundle.as_posix()
    ('test', 'runs/first/model.leansort')

    Args:
        recipe: as for `load_recipe`.
        overrides: changes such as `train.epochs=3`; values are YAML.
        data: replaces the recipe's `data.path`.
        out: folder for the results; `runs/NAME` by default, with the recipe's name.
        engine: as for `load_recipe`.
        device: address of `leansort agent` on the device, where latencies are measured; replaces `target.device`.
        resume: go on with an interrupted run in `out`.

    Returns:
        The headline figures, and where bundle, submission and report are.

    Raises:
        UserError: the recipe is wrong, the data cannot be used, or `out` holds another run.
    """
    resolved = resolve(recipe, with_device(overrides, device), data, engine)
    if resolved.goal:
        from leansort.api.goals import solve_recipe

        return solve_recipe(resolved, run_folder(resolved, out))
    from leansort.workflows.run import run as workflow  # after the check: this one loads PyTorch

    return workflow(resolved, run_folder(resolved, out), resume=resume)


@verb(maps=0, photos=0)
def report(
    run: AnyPath,
    *,
    out: AnyPath | None = None,
    stress: AnyPath | None = None,
    study: AnyPath | None = None,
    unknown: AnyPath | None = None,
    doubt: AnyPath | None = None,
    maps: int = 12,
    photos: int = 240,
) -> Path:
    """Lay out a run's results as one page.

    >>> import leansort
    >>> page = leansort.report("runs/first", out="report.html")
    >>> "macro-F1" in page.read_text()
    True

    Args:
        run: path of the run folder.
        out: path of the page; `report.html` in the run folder by default.
        stress: a stress test of the run's bundle, folder or `stress.json`; the folder `stress` of the run by default.
        study: a search whose trials are shown, folder or `tune.json`; the one that the run is a trial of by default.
        unknown: JSON of `leansort score --unknown`; `unknown.json` in the run folder by default.
        doubt: doubtful labels, folder or `doubt.json`; those in the run folder or its folder `doubt` by default.
        maps: number of mistakes of which evidence is drawn, and of half as many doubtful labels; 0 for none.
        photos: most photos behind the cells of the confusion matrix; 0 for none.

    Returns:
        Where the page is.

    Raises:
        UserError: the folder is no finished run, or a named result is not there or not of this run.
    """
    from leansort.workflows.deploy.evidence.page_sources import PageSources
    from leansort.workflows.deploy.run_report import write_run_report

    return write_run_report(
        Path(run),
        optional(out),
        PageSources(optional(stress), optional(study), optional(unknown), optional(doubt), maps, photos),
    )


def resolve(
    recipe: AnyPath | Recipe,
    overrides: Sequence[str],
    data: AnyPath | None,
    engine: str = "",
    *,
    compression: bool = False,
) -> Recipe:
    """Return the recipe that an argument stands for; where so told, a name is first one of the compressions."""
    from leansort.core.text.packaged_configs import COMPRESSION_RECIPE, find_config
    from leansort.recipe import load
    from leansort.recipe.schema import Recipe

    path = optional(data)
    if isinstance(recipe, Recipe):
        return load.change_recipe(recipe, overrides, path, engine)
    place = find_config(Path(recipe), COMPRESSION_RECIPE) if compression else Path(recipe)
    return load.load_recipe(place, overrides, path, engine)


def run_folder(recipe: Recipe, out: AnyPath | None, suffix: str = "") -> Path:
    """Return the folder for results: the one that was named, or `runs/NAME` with the recipe's name and a suffix."""
    return Path("runs") / f"{recipe.name}{suffix}" if out is None else Path(out)
