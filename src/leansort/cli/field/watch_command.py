"""`leansort watch`: drift, told without labels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from leansort import api
from leansort.cli.completion.offered_names import offer_models
from leansort.cli.options import Engine, Json, print_line, print_result


def watch(
    bundle: Annotated[
        Path, typer.Argument(help="The bundle, or a name that `leansort models` lists.", autocompletion=offer_models)
    ],
    source: Annotated[
        str,
        typer.Argument(
            help="A log that `predict --format json --statistics` writes, a folder of photos, or - for lines of such a "
            "log, or of paths, on standard input."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the watch; an earlier watch there is gone on with.")],
    yellow: Annotated[float, typer.Option(help="Largest probability of ever a false yellow alarm.")] = 0.01,
    red: Annotated[float, typer.Option(help="Largest probability of ever a false red alarm.")] = 0.0001,
    window: Annotated[int, typer.Option(help="Latest photos that class shares are estimated on.", min=1)] = 1000,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Photos with labels (manifest, class folders or CSV) to compare with, in place of the bundle's."
        ),
    ] = None,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Take a folder's photos in random order: is it like val as a whole?")
    ] = False,
    engine: Engine = "",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with code 1 if the level is red at the end.")] = False,
    as_json: Json = False,
) -> None:
    """Watch photos or predictions for drift, without labels: alarms with a stated rate of false ones, class shares.

    \b
    Example: leansort watch model.leansort photos/ --out watch
    Example: tail -n +1 -f predictions.jsonl | leansort watch model.leansort - --out watch
    """
    from leansort.workflows.field.drift_watching import watch_text

    result = api.watch(
        bundle,
        source,
        out=out,
        yellow=yellow,
        red=red,
        window=window,
        reference=reference,
        engine=engine,
        stream=sys.stdin.buffer,
        shuffle=shuffle,
        on_alarm=lambda alarm: print_line(alarm.text, to_error=as_json),
    )
    print_result(result, as_json, watch_text(result))
    if strict and result.status.level == "red":
        raise typer.Exit(1)
