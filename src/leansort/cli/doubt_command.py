"""`leansort data doubt`: labels that are probably wrong, ranked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort import api
from leansort.cli.options import Data, Json, Out, Overrides, RecipeFile, print_result


def data_doubt(
    recipe: RecipeFile,
    overrides: Overrides = None,
    data: Data = None,
    manifest: Annotated[Path | None, typer.Option(help="Judge this manifest instead of importing recipe data.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the features; OUT/cache by default.")] = None,
    out: Out = None,
    folds: Annotated[int, typer.Option(help="Number of folds of the cross-validation.", min=2)] = 5,
    top: Annotated[int, typer.Option(help="Number of photos on the page and in the corrections file.", min=1)] = 100,
    as_json: Json = False,
) -> None:
    """Rank labels that are probably wrong; write a table, a page to decide on, and a corrections file for import.

    \b
    Example: leansort data doubt trashnet-transfer --data photos/ --out runs/doubt
    """
    from leansort.workflows.training.doubt.doubt_result import doubt_text

    result = api.doubt_labels(
        recipe, overrides or [], data=data, manifest=manifest, cache=cache, out=out, folds=folds, top=top
    )
    print_result(result, as_json, doubt_text(result))
