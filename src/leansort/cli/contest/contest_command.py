"""`leansort contest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort import api
from leansort.cli.options import BundleEngine, Json, print_line, print_result


def contest(
    answers: Annotated[
        list[Path], typer.Argument(help="Bundles, models' names or submission files.", metavar="ANSWERS...")
    ],
    ground_truth: Annotated[
        Path,
        typer.Option(
            "--ground-truth", "--data", "--manifest", help="Manifest, folder of class folders, or CSV image,label."
        ),
    ],
    split: Annotated[
        str, typer.Option(help="Split of the manifest, or of class folders; test chooses nothing.")
    ] = "val",
    public: Annotated[
        Path | None,
        typer.Option(help="File with the names of the public list; else both are resampled from all crops."),
    ] = None,
    private: Annotated[Path | None, typer.Option(help="File with the names of the private list.")] = None,
    seconds: Annotated[
        list[float] | None,
        typer.Option(help="Seconds in place of those stated or measured; once, or once a file.", min=0),
    ] = None,
    margin: Annotated[
        float, typer.Option(help="Macro-F1 to keep above the step of the MACs edition.", min=0, max=0.5)
    ] = 0.05,
    draws: Annotated[int, typer.Option(help="Number of resampled lists.", min=100, max=100_000)] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.", min=0)] = 0,
    base_f1: Annotated[float, typer.Option(help="Baseline F1 of the time edition.")] = 0.70,
    base_seconds: Annotated[float, typer.Option(help="Baseline time in seconds.")] = 43.16,
    base_macs_f1: Annotated[float, typer.Option(help="Baseline F1 of the MACs edition.")] = 0.8342,
    base_macs: Annotated[int, typer.Option(help="Baseline MACs.")] = 13_863_553,
    engine: BundleEngine = "",
    as_json: Json = False,
) -> None:
    """Simulate the contest: what a point of F1 and a second are worth, how sure a rank is, what to hand in.

    \b
    Example: leansort contest model.leansort --manifest runs/sample
    Example: leansort contest a.leansort b.leansort --data photos/ --margin 0.1 --json
    """
    from leansort.report.contest.contest_table import contest_text, warning_lines

    result = api.contest(
        answers,
        ground_truth,
        split=split,
        public=public,
        private=private,
        seconds=seconds or None,
        margin=margin,
        draws=draws,
        seed=seed,
        base_f1=base_f1,
        base_seconds=base_seconds,
        base_macs_f1=base_macs_f1,
        base_macs=base_macs,
        engine=engine,
    )
    for line in warning_lines(result):
        print_line(line, to_error=True)
    print_result(result, as_json, contest_text(result))
