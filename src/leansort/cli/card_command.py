"""`leansort card`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort.cli.options import Json, print_result


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(card)


def card(
    run: Annotated[
        Path, typer.Argument(help="Folder of a training or a compression's step, or a bundle within its run's folder.")
    ],
    manifest: Annotated[Path, typer.Option(help="Manifest whose val crops it is scored on.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to make.")],
    name: Annotated[str, typer.Option(help="Name of the model; the folder's by default.")] = "",
    note: Annotated[list[str] | None, typer.Option(help="A paragraph on data, licence or limits; repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """Make a trained network or a bundle fit to be passed on: its files, recipe and model card in one folder.

    \b
    Example: leansort card runs/sure/seed-0 --manifest runs/sure --out models/trash --note "Trained on my photos."
    """
    from leansort.core import manifest as manifests
    from leansort.workflows.deploy.model_card import write_model_card as make

    result = make(run, manifests.load(manifest), out, name=name, notes=note or [])
    size = f"{result.parameters:,} parameters, {result.bytes / 1e6:.2f} MB"
    print_result(result, as_json, f"{out}: val macro-F1 {result.macro_f1:.4f}, {size}")
