"""Networks: compressed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leansort.api.jobs import resolve, run_folder
from leansort.api.verbs import AnyPath, optional, verb

if TYPE_CHECKING:
    from leansort.compress.pipeline.compress_result import CompressResult
    from leansort.recipe.schema import Recipe


@verb()
def compress(
    recipe: AnyPath | Recipe,
    model: AnyPath,
    overrides: Sequence[str] = (),
    *,
    data: AnyPath | None = None,
    manifest: AnyPath | None = None,
    cache: AnyPath | None = None,
    out: AnyPath | None = None,
    engine: str = "",
    resume: bool = False,
    explain: bool = False,
) -> CompressResult:
    """Compress a trained network by a recipe's passes, each measured and kept within the macro-F1 budget.

    >>> import leansort
    >>> steps = ["compress.steps=[{pass: fuse}]", "arch.base=tiny_s", "preprocess.size=32"]
    >>> result = leansort.compress("sample", "runs/first/train", steps, manifest="runs/first", out="runs/small")
    >>> [step.name for step in result.steps]
    ['start', '1-fuse']

    Args:
        recipe: as for `run`; the names of compression recipes go first.
        model: the network to compress: path of `model.safetensors`, or of a run folder.
        overrides: changes such as `compress.max_drop=0.01`; values are YAML.
        data: replaces the recipe's `data.path`.
        manifest: use this manifest, or its folder, in place of importing the recipe's data.
        cache: folder of decoded crops; `cache` in `out` by default.
        out: folder for the results; `runs/NAME-compress` by default, with the recipe's name.
        engine: replaces the recipe's `target.engine` and its settings, such as `openvino:precision=bf16`.
        resume: go on with an interrupted compression in `out`.
        explain: also report what each layer costs and how sensitive it is.

    Returns:
        Every step with its macro-F1, size and latency; the bundle is `model.leansort` in `out`.

    Raises:
        UserError: the recipe is wrong or of another network, or `out` holds something else.
        EngineError: the target's engine crashed, hung or failed when it was tried.
        LeansortError: a pass failed; earlier steps are kept, and `resume=True` goes on from them.
    """
    resolved = resolve(recipe, overrides, data, engine, compression=True)
    from leansort.core.run_folder import CompressionFolder
    from leansort.workflows.compression import compress as workflow  # after the check: this one loads PyTorch

    start = workflow.network_to_compress(resolved, Path(model), explain=explain)
    folder = CompressionFolder(run_folder(resolved, out, "-compress"))
    rows = workflow.open_data(resolved, folder.path, optional(manifest), resume=resume)
    folder.recipe.write(resolved.to_json())
    return workflow.compress(resolved, start, rows, folder.path, cache=optional(cache), explain=explain)
