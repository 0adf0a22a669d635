"""`leansort models`: bundles that are known by name, and their cards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort import api
from leansort.cli.completion.offered_names import offer_models
from leansort.cli.options import Json, print_result


def models(
    name: Annotated[
        str | None,
        typer.Argument(help="A model's name, or the path of any bundle, to see its card.", autocompletion=offer_models),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="File or folder that the bundle is copied to.")] = None,
    as_json: Json = False,
) -> None:
    """List the models that are known by name, show the card of one, or copy its bundle.

    A model lies in leansort itself, in models/ of a folder named in LEANSORT_PLUGINS, or in an installed distribution.

    \b
    Example: leansort models
    Example: leansort models trashnet-lean --out model.leansort
    """
    from leansort.workflows.cards.model_listing import models_text

    result = api.models(name, out=out)
    print_result(result, as_json, models_text(result, with_card=name is not None))
