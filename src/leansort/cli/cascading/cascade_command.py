"""`leansort cascade`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort import api
from leansort.cli.completion.offered_names import offer_models
from leansort.cli.options import Engine, Json, print_result


def cascade(
    first: Annotated[
        Path,
        typer.Argument(help="The small bundle, or a name that `leansort models` lists.", autocompletion=offer_models),
    ],
    second: Annotated[Path, typer.Argument(help="The large bundle, or such a name.", autocompletion=offer_models)],
    manifest: Annotated[
        Path, typer.Option(help="Manifest, or its folder, class folders or CSV, whose val photos fit the threshold.")
    ],
    max_f1_drop: Annotated[
        float, typer.Option(help="How much of the large bundle's macro-F1 may be lost there.", min=0, max=1)
    ] = 0.005,
    out: Annotated[Path, typer.Option("--out", help="The bundle to write.")] = Path("cascade.leansort"),
    decode: Annotated[
        str,
        typer.Option(
            help="once: decode for the large graph and shrink for the small one; again: decode for the small graph, "
            "and again where it is not sure. By default once where both are fitted alike."
        ),
    ] = "",
    engine: Engine = "",
    name: Annotated[str, typer.Option(help="Name of the cascade, as reports show it.")] = "",
    as_json: Json = False,
) -> None:
    """Make one bundle of two: the small graph answers where it is sure, the large one answers the rest.

    \b
    Example: leansort cascade small.leansort large.leansort --manifest runs/sample --out pair.leansort
    """
    result = api.cascade(
        first,
        second,
        manifest=manifest,
        max_f1_drop=max_f1_drop,
        out=out,
        decode=decode,
        engine=engine,
        name=name,
    )
    print_result(result, as_json, result.summary())
