"""`leansort arch …`: the networks that can be built."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort.cli import pretrained_commands
from leansort.cli.options import Json, print_line, print_result

arch_app = typer.Typer(
    help="List, show and convert network architectures.", no_args_is_help=True, rich_markup_mode=None
)
pretrained_commands.register(arch_app)
Size = Annotated[int, typer.Option(help="Side of the input in pixels.", min=16, max=1024)]
Classes = Annotated[int, typer.Option(help="Number of classes.", min=2)]


@arch_app.command("list")
def arch_list(size: Size = 224, classes: Classes = 6, as_json: Json = False) -> None:
    """List every backbone with its parameters and multiply-adds.

    \b
    Example: leansort arch list --size 128
    """
    from leansort.workflows.arch import backbones_table, list_backbones

    result = list_backbones(classes, size)
    print_result(result, as_json, backbones_table(result))


@arch_app.command("show")
def arch_show(
    base: Annotated[str, typer.Argument(help="A backbone's name, timm:NAME, or a model file.")],
    size: Size = 224,
    classes: Classes = 6,
    width: Annotated[float, typer.Option(help="Width multiplier of the channels.", min=0.06, max=4.0)] = 1.0,
    depth: Annotated[float, typer.Option(help="Depth multiplier of repeated rows.", min=0.06, max=4.0)] = 1.0,
    svg: Annotated[Path | None, typer.Option("--svg", help="Draw the network into this file.")] = None,
    as_json: Json = False,
) -> None:
    """Show what each part of a network puts out and costs.

    `down` is the downsampling and `sees` the receptive field, both in input pixels; `peak` is the most memory that
    activations take while the part runs (batch 1, float32).

    \b
    Example: leansort arch show mobilenetv2 --size 128 --width 0.5 --svg mobilenetv2.svg
    """
    from leansort.workflows.arch import draw_svg, parts_table, show_architecture, spec_for

    result = show_architecture(spec_for(base, classes=classes, width=width, depth=depth), size)
    if svg is not None:
        draw_svg(result, f"{base} at {size} px", svg)
    print_result(result, as_json, parts_table(result))


@arch_app.command("convert")
def arch_convert(
    path: Annotated[Path, typer.Argument(help="A model file of rows [repeat, module, args].")],
    out: Annotated[Path, typer.Option("--out", help="The file to write, rows of named fields.")],
) -> None:
    """Turn a model file of other tools into rows of named fields; the network stays the same.

    \b
    Example: leansort arch convert theirs.yaml --out ours.yaml
    """
    from leansort.workflows.arch import convert_model_file

    print_line(f"{out}: {convert_model_file(path, out)} rows")
