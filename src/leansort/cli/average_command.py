"""`leansort average`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort import api
from leansort.cli.options import Json, print_result
from leansort.cli.train_commands import Cache


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(average)


def average(
    networks: Annotated[
        list[Path], typer.Argument(help="Run folders or model.safetensors files of one architecture, two or more.")
    ],
    manifest: Annotated[Path, typer.Option(help="Manifest, or its folder: val judges the mean.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the averaged network.")],
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """Average the weights of several trainings that began with the same pretrained weights (a model soup).

    \b
    Example: leansort average runs/t/seed-0 runs/t/seed-1 runs/t/seed-2 --manifest runs/t --out runs/soup
    """
    result = api.average(networks, manifest, out=out, cache=cache)
    from leansort.workflows.averaging.average import average_table

    print_result(result, as_json, average_table(result))
