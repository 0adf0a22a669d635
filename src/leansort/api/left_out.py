"""What networks do not know: trained without each class in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leansort.api.jobs import resolve, run_folder
from leansort.api.verbs import AnyPath, optional, verb

if TYPE_CHECKING:
    from leansort.recipe.schema import Recipe
    from leansort.workflows.leave_out.leave_out_result import LeaveOutResult


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
