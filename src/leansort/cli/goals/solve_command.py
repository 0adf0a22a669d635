"""`leansort solve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort import api
from leansort.cli.options import Device, Json, Overrides, print_result


def solve(
    photos: Annotated[Path, typer.Argument(help="Class folders, COCO files or a manifest.")],
    overrides: Overrides = None,
    macro_f1: Annotated[float | None, typer.Option("--macro-f1", help="Least macro-F1, at most 1.")] = None,
    p99_ms: Annotated[
        float | None, typer.Option("--p99-ms", help="Most ms from an encoded photo to its label, in 99 of 100 calls.")
    ] = None,
    size_mb: Annotated[float | None, typer.Option("--size-mb", help="Most MB of the bundle.")] = None,
    device: Device = "",
    hours: Annotated[float | None, typer.Option(help="Hours that all of it may take.")] = None,
    recipes: Annotated[str, typer.Option(help="Recipes that may be tried, NAME,NAME; the package's by default.")] = "",
    epochs: Annotated[int | None, typer.Option(help="Most epochs of each training.", min=1)] = None,
    search: Annotated[str, typer.Option(help="Search that follows where no recipe meets the goal.")] = "trashnet",
    trials: Annotated[int, typer.Option(help="Trials of the search; 0 searches nothing.", min=0)] = 20,
    unknown: Annotated[
        Path | None, typer.Option(help="Folder of photos of none of the classes; needs --target-error.")
    ] = None,
    target_error: Annotated[
        float | None, typer.Option(help="Largest fraction of wrong labels among accepted ones.", min=0.0, max=1.0)
    ] = None,
    drop_leaks: Annotated[
        bool, typer.Option("--drop-leaks", help="Leave out training photos that val or test show, too.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of all randomness.", min=0)] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results; runs/NAME-solve by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find a bundle that meets a goal, and say plainly whether it does and what would help. Goes on after a kill.

    \b
    Example: leansort solve photos/ --macro-f1 0.9 --p99-ms 2 --size-mb 1 --hours 2
    """
    result = api.solve(
        photos,
        overrides or [],
        macro_f1=macro_f1,
        p99_ms=p99_ms,
        size_mb=size_mb,
        device=device,
        hours=hours,
        recipes=recipes,
        epochs=epochs,
        search=search,
        trials=trials,
        unknown=unknown,
        target_error=target_error,
        drop_leaks=drop_leaks,
        seed=seed,
        out=out,
    )
    from leansort.workflows.solving.solve_result import solve_text

    print_result(result, as_json, solve_text(result))
