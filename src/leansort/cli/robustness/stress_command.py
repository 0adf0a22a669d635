"""`leansort stress`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort import api
from leansort.cli.completion.offered_names import offer_models
from leansort.cli.options import BundleEngine, Json, print_result


def stress(
    bundles: Annotated[
        list[Path],
        typer.Argument(help="One or two bundles, or names that `leansort models` lists.", autocompletion=offer_models),
    ],
    data: Annotated[Path, typer.Option(help="Manifest, folder of class folders, or CSV image,label.")],
    split: Annotated[str, typer.Option(help="Split of the manifest, or of class folders with splits.")] = "val",
    kinds: Annotated[str, typer.Option(help="Kinds of corruption with commas between them; all by default.")] = "",
    levels: Annotated[str, typer.Option(help="Levels with commas between them, 1 to 5.")] = "1,3,5",
    textures: Annotated[Path | None, typer.Option(help="Folder of photos of grounds, used beside drawn ones.")] = None,
    annotations: Annotated[
        list[Path] | None, typer.Option(help="COCO file whose polygons cut out a manifest's crops; repeatable.")
    ] = None,
    cut_out: Annotated[
        str, typer.Option(help="How objects are cut out: auto (polygon where there is one), polygon or colour.")
    ] = "auto",
    crops: Annotated[int, typer.Option(help="Take at most so many crops, classes in proportion; 0: all.", min=0)] = 0,
    side: Annotated[
        int, typer.Option(help="Longest side in pixels at which crops are corrupted.", min=32, max=1024)
    ] = 256,
    seed: Annotated[int, typer.Option(help="Seed of all randomness.", min=0)] = 0,
    engine: BundleEngine = "",
    out: Annotated[Path | None, typer.Option("--out", help="Folder for stress.json and stress.html.")] = None,
    as_json: Json = False,
) -> None:
    """How much accuracy is kept in bad light, blur, noise, dirt, wrong boxes and on other grounds, level by level.

    \b
    Example: leansort stress model.leansort --data runs/sample --out stress
    Example: leansort stress old.leansort new.leansort --data photos/ --kinds darker,background --levels 1,2,3,4,5
    """
    from leansort.report.robustness.stress_table import stress_text

    result = api.stress(
        bundles,
        data,
        split=split,
        kinds=kinds,
        levels=levels,
        textures=textures,
        annotations=annotations or [],
        cut_out=cut_out,
        crops=crops,
        side=side,
        seed=seed,
        engine=engine,
        out=out,
    )
    print_result(result, as_json, stress_text(result))
