"""`leansort compress`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort.api.verbs import with_device
from leansort.cli.options import (
    Data,
    Device,
    Json,
    Out,
    Overrides,
    RecipeFile,
    Resume,
    TargetEngine,
    print_result,
)
from leansort.cli.train_commands import Cache


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compress)


def compress(
    recipe: RecipeFile,
    model: Annotated[Path, typer.Argument(help="The network to compress: model.safetensors or a run folder.")],
    overrides: Overrides = None,
    data: Data = None,
    manifest: Annotated[Path | None, typer.Option(help="Use this manifest instead of importing recipe data.")] = None,
    cache: Cache = None,
    out: Out = None,
    engine: TargetEngine = "",
    device: Device = "",
    resume: Resume = False,
    explain: Annotated[bool, typer.Option("--explain", help="Also report cost and sensitivity of each layer.")] = False,
    as_json: Json = False,
) -> None:
    """Compress a trained network by the recipe's passes, each measured and kept within the F1 budget.

    \b
    Example: leansort compress trashnet models/trashnet --data photos/ --out runs/small
    Example: leansort compress recipe.yaml runs/a/train --manifest runs/a --explain
    Example: leansort compress trashnet models/trashnet --data photos/ --device http://robot:8791
    """
    from leansort.core.run_folder import CompressionFolder
    from leansort.core.text.packaged_configs import COMPRESSION_RECIPE, find_config
    from leansort.recipe.load import load_recipe

    resolved = load_recipe(find_config(recipe, COMPRESSION_RECIPE), with_device(overrides or (), device), data, engine)
    from leansort.report import compression_page
    from leansort.workflows.compression import compress as workflow  # after the check: these load PyTorch

    start = workflow.network_to_compress(resolved, model, explain=explain)
    folder = CompressionFolder(out or Path("runs") / f"{resolved.name}-compress")
    rows = workflow.open_data(resolved, folder.path, manifest, resume=resume)
    folder.recipe.write(resolved.to_json())
    result = workflow.compress(resolved, start, rows, folder.path, cache=cache, explain=explain)
    text = f"{compression_page.text(result)}\n\nbundle  {folder.bundle}\nreport  {folder.page}"
    print_result(result, as_json, text)
