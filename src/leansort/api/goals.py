"""Goals: where a job stands, and what meets a goal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leansort.api.verbs import AnyPath, optional, verb
from leansort.core.errors import UserError

if TYPE_CHECKING:
    from leansort.recipe.schema import Recipe
    from leansort.workflows.solving.solve_result import SolveResult
    from leansort.workflows.stages.stage_status import StatusResult


@verb(epochs=1, trials=0, seed=0, target_error=(0, 1))
def solve(
    photos: AnyPath,
    overrides: Sequence[str] = (),
    *,
    macro_f1: float | None = None,
    p99_ms: float | None = None,
    size_mb: float | None = None,
    device: str = "",
    hours: float | None = None,
    recipes: str | Sequence[str] = "",
    epochs: int | None = None,
    search: str = "trashnet",
    trials: int = 20,
    unknown: AnyPath | None = None,
    target_error: float | None = None,
    drop_leaks: bool = False,
    seed: int = 0,
    out: AnyPath | None = None,
) -> SolveResult:
    """Find a bundle that meets a goal: check and probe the data, price, train, compress, search, score, explain.

    The same call on the same folder goes on where an earlier one stopped, and does nothing twice.

    >>> import leansort
    >>> small = ["preprocess.size=32", "arch.base=tiny_s", "bench.seconds=0.1", "bench.queries=10", "bench.starts=0"]
    >>> how = {"recipes": "sample", "epochs": 1, "trials": 0, "drop_leaks": True}  # small, so that it ends at once
    >>> found = leansort.solve("runs/first", small, size_mb=5, **how, out="runs/solved")
    >>> found.met, found.chosen
    (True, 'sample')

    Args:
        photos: class folders, with splits or without; COCO files or a folder of them; a manifest or its folder.
        overrides: changes of each recipe that is tried, such as `preprocess.size=96`; values are YAML.
        macro_f1: least macro-F1, above 0 and at most 1.
        p99_ms: most milliseconds from an encoded photo to its label, in 99 of 100 calls.
        size_mb: most MB of the bundle.
        device: address of `leansort agent` on the device, or `local`, which is the default.
        hours: that all of it may take; None: as long as the recipes take.
        recipes: names or files of the recipes that may be tried, in one text with commas between them or as a list;
            by default those of the package that are known to be good.
        epochs: most epochs of each training, at least 1; None: those of the recipes.
        search: name or file of the search that follows where no recipe meets the goal.
        trials: of the search; 0 searches nothing.
        unknown: folder of photos that show none of the classes, each of which is an error if it is accepted; needs
            `target_error`.
        target_error: largest fraction of wrong labels among accepted ones, 0 to 1; None accepts everything.
        drop_leaks: whether training photos that val or test show, too, are left out in place of stopping.
        seed: of all randomness, at least 0.
        out: folder for the results; `runs/NAME-solve` by default, with the name of `photos`.

    Returns:
        Whether the goal is met, the figures of the chosen bundle, what would help, and one plain paragraph.

    Raises:
        UserError: the goal or the data cannot be used, a recipe is wrong, nothing fits into the hours, or `out` holds
            something else.
    """
    from leansort.recipe.goal import LOCAL
    from leansort.workflows.solving.solve_settings import RECIPES, SolveSettings, read_goal, read_photos

    goal = read_goal(macro_f1=macro_f1, p99_ms=p99_ms, size_mb=size_mb, device=device or LOCAL, hours=hours)
    named = tuple(name for name in recipes.split(",") if name) if isinstance(recipes, str) else tuple(map(str, recipes))
    path = Path(photos)
    data, manifest = read_photos(path)
    settings = SolveSettings(
        goal=goal,
        data=data,
        manifest=manifest,
        recipes=named or RECIPES,
        overrides=tuple(overrides),
        epochs=epochs,
        search=search,
        trials=trials,
        unknown=optional(unknown),
        target_error=target_error,
        drop_leaks=drop_leaks,
        seed=seed,
    )
    if unknown is not None and target_error is None:
        raise UserError("solve: unknown photos have no effect without a target error, whose threshold they change")
    from leansort.workflows.solving.solve import solve as workflow  # after the check: this one loads PyTorch

    name = (path.stem if path.is_file() else path.resolve().name) or "photos"
    return workflow(settings, Path("runs") / f"{name}-solve" if out is None else Path(out))


def solve_recipe(recipe: Recipe, out: Path) -> SolveResult:
    """Do what `run` does of a recipe with a goal: try it first, and then those of the package.

    Args:
        recipe: with a goal.
        out: folder for the results.
    """
    from leansort.workflows.solving.candidate_recipes import adapt_recipe
    from leansort.workflows.solving.solve import solve as workflow
    from leansort.workflows.solving.solve_settings import recipe_settings

    settings = recipe_settings(recipe)
    return workflow(settings, out, [adapt_recipe(recipe, settings)])


@verb()
def status(run: AnyPath) -> StatusResult:
    """Tell where a job stands: its stages, their states and times, and what each waits for.

    >>> import leansort
    >>> leansort.status("runs/first").stages[-1].state
    'done'

    Args:
        run: folder of `run` or `solve`.

    Returns:
        The stages in the order in which they were planned.

    Raises:
        UserError: no job was begun there.
    """
    from leansort.workflows.stages.stage_status import read_status

    return read_status(Path(run))
