"""`leansort mine`: photos that are most worth a label."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort import api
from leansort.cli.completion.offered_names import offer_models
from leansort.cli.options import Engine, Json, print_result


def mine(
    bundle: Annotated[
        Path, typer.Argument(help="The bundle, or a name that `leansort models` lists.", autocompletion=offer_models)
    ],
    folder: Annotated[Path, typer.Argument(help="Folder of photos.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to make.")],
    keep: Annotated[int | None, typer.Option(help="Number of photos at most.", min=1)] = None,
    megabytes: Annotated[float | None, typer.Option(help="Size of the chosen photos at most.", min=0)] = None,
    guesses: Annotated[str, typer.Option("--format", help="Format of the guesses: csv or coco.")] = "csv",
    engine: Engine = "",
    as_json: Json = False,
) -> None:
    """Choose the photos that are most worth a label: uncertain, novel, unlike each other; copy them with guesses.

    \b
    Example: leansort mine model.leansort belt/ --keep 200 --out mined
    """
    from leansort.workflows.field.photo_mining import mine_text

    result = api.mine(bundle, folder, out=out, keep=keep, megabytes=megabytes, format=guesses, engine=engine)
    print_result(result, as_json, mine_text(result))
