"""`leansort data add|diff`: a data set that grows, and what two data sets differ in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort import api
from leansort.cli.options import Json, print_result


def data_add(
    manifest: Annotated[Path, typer.Argument(help="The old manifest, or the folder that holds it.")],
    new: Annotated[list[Path], typer.Argument(help="Labelled photos: manifests, class folders, or CSV image,label.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the new manifest.")],
    split: Annotated[
        str, typer.Option(help="Split of all new photos; by default what their source says, else train.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Make a manifest of an old one and newly labelled photos; old crops keep their splits, duplicates are named.

    \b
    Example: leansort data add sample-crops mined/guesses.csv --out grown
    """
    result = api.add_data(manifest, new, out=out, split=split)
    print_result(result, as_json, "\n".join(f"{name}: {text}" for name, text in result.headline().items()))


def data_diff(
    first: Annotated[Path, typer.Argument(help="A manifest, or the folder that holds it.")],
    second: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: Json = False,
) -> None:
    """Say what a second manifest has added, removed, relabelled, and moved between splits.

    \b
    Example: leansort data diff sample-crops grown
    """
    from leansort.workflows.data.data_growth import diff_text

    result = api.diff_data(first, second)
    print_result(result, as_json, diff_text(result))
