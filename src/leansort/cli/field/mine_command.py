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
    ray: Annotated[
        str, typer.Option(help="Classify on a Ray cluster: its address, or local[:WORKERS]; needs --predictions.")
    ] = "",
    predictions: Annotated[
        Path | None,
        typer.Option(help="With --ray: folder for predictions, gone on with; --out of predict --ray is one, too."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Choose the photos that are most worth a label: uncertain, novel, unlike each other; copy them with guesses.

    \b
    Example: leansort mine model.leansort belt/ --keep 200 --out mined
    Example: leansort mine model.leansort belt/ --keep 200 --out mined --ray local:2 --predictions labels
    """
    from leansort.workflows.field.photo_mining import mine_text

    result = api.mine(
        bundle,
        folder,
        out=out,
        keep=keep,
        megabytes=megabytes,
        format=guesses,
        engine=engine,
        ray=ray,
        predictions=predictions,
    )
    print_result(result, as_json, mine_text(result))
