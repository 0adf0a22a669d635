"""The target of bundles that lie in the folder of the run that made them: `bench`, `submit` and `score` obey it too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from leansort.core import bundle as bundles
from leansort.core.errors import UserError
from leansort.core.process.console import say
from leansort.core.run_folder import ModelFolder
from leansort.core.writing.escaping import printable
from leansort.recipe.target import Target, engine_with_threads
from leansort.runtime import engine as engines


class _TargetOfRecipe(BaseModel):
    """A recipe beside a bundle, of which no more than the target is asked; older ones have none."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    target: Target = Target()


def engine_of_recipe(paths: Sequence[Path], threads: int | None = None) -> str:
    """The engine that the recipe beside some bundles names, said in a line; empty where none does.

    Args:
        paths: bundle files, or files of predictions, which no engine runs.
        threads: that were asked for, in place of the target's.

    Returns:
        The engine with its settings and threads, as `--engine` takes it. Empty too where the recipes name several, or
        where the engine is not installed here, which is said.
    """
    specs = {_spec(path, threads) for path in paths if path.suffix == ".leansort"} - {""}
    if len(specs) > 1:
        say(f"the recipes of these bundles name several targets, {', '.join(sorted(specs))}: --engine names one")
    return specs.pop() if len(specs) == 1 else ""


def _spec(path: Path, threads: int | None) -> str:
    folder = ModelFolder(path.parent)
    if folder.bundle.resolve() != path.resolve() or not folder.recipe.path.is_file():
        return ""
    target = folder.recipe.read(_TargetOfRecipe, "target").target
    target = target.model_copy(update={"threads": threads or target.threads})
    if not target.engine:
        return ""
    bundle, where = bundles.load(path), printable(str(folder.recipe.path))
    try:
        is_usable = engines.can_run(bundle, target.engine)
    except UserError:
        is_usable = False
    if not is_usable:
        say(f"{target.engine}, the target's engine of {where}, does not run the bundle here; another one does")
        return ""
    spec = engine_with_threads(bundle, target)
    say(f"engine {spec}, the target of {where}; --engine names another")
    return spec
