"""`leansort compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort import api
from leansort.cli.completion.offered_names import offer_models
from leansort.cli.options import BundleEngine, Json, print_line, print_result


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compare)


def compare(
    a: Annotated[
        Path,
        typer.Argument(
            help="A bundle, a run, a model's name, a submission file, or predictions.",
            metavar="A",
            autocompletion=offer_models,
        ),
    ],
    b: Annotated[
        Path, typer.Argument(help="The same; it is compared with A.", metavar="B", autocompletion=offer_models)
    ],
    ground_truth: Annotated[
        Path, typer.Option("--ground-truth", "--data", help="Manifest, folder of class folders, or CSV image,label.")
    ],
    split: Annotated[str, typer.Option(help="Split of the manifest, or of class folders with splits.")] = "val",
    engine: BundleEngine = "",
    engine_b: Annotated[
        str | None, typer.Option(help="Engine of B, if it is another one than A's.", show_default=False)
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Compute threads of the engines; 1 by default.", min=1)] = None,
    seconds: Annotated[float, typer.Option(help="Minimum seconds for each latency; 0 measures none.", min=0)] = 3.0,
    queries: Annotated[int, typer.Option(help="Minimum number of calls for each latency.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.", min=0)] = 0,
    page: Annotated[
        Path | None, typer.Option("--page", "--out", help="Also write a page: what changed, with the photos.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare two bundles, or two files of answers, on the same crops: accuracy, size, latency, and a verdict.

    \b
    Example: leansort compare old.leansort new.leansort --ground-truth runs/sample
    Example: leansort compare first.csv second.csv --ground-truth photos/ --split test --json
    Example: leansort compare runs/first runs/second --ground-truth runs/first --page compare.html
    """
    from leansort.report.comparison_table import comparison_text

    result = api.compare(
        a,
        b,
        ground_truth,
        split=split,
        engine=engine,
        engine_b=engine_b,
        threads=threads,
        seconds=seconds,
        queries=queries,
        seed=seed,
        page=page,
    )
    if result.warning:
        print_line(f"warning: {result.warning}", to_error=True)
    print_result(result.to_json(), as_json, comparison_text(result))
