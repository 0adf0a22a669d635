"""`leansort recipes …`: the recipes, searches, ablations and category maps that the package brings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leansort.cli.completion.offered_names import offer_packaged
from leansort.cli.options import Json, print_line, print_result

recipes_app = typer.Typer(
    help="List, show and copy the recipes, searches, ablations and category maps of the package.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(help="A name that `leansort recipes list` shows.", autocompletion=offer_packaged)]


@recipes_app.command("list")
def recipes_list(as_json: Json = False) -> None:
    """List everything that is known by name, with a line on what it is for.

    \b
    Example: leansort recipes list
    """
    from leansort.core.text.columns import align_columns
    from leansort.core.text.packaged_configs import describe_config, list_configs

    described = {name: describe_config(path) for name, path in list_configs().items()}
    print_result(described, as_json, align_columns(list(described.items()), left=2))


@recipes_app.command("show")
def recipes_show(name: Name) -> None:
    """Print a file of the package.

    \b
    Example: leansort recipes show sample
    """
    from leansort.core.text.packaged_configs import find_packaged

    print(find_packaged(name).read_text(encoding="utf-8"), end="")


@recipes_app.command("copy")
def recipes_copy(
    name: Name,
    to: Annotated[Path | None, typer.Option("--to", help="File or folder; the working directory by default.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Copy a file of the package, to be changed and given by its path.

    \b
    Example: leansort recipes copy trashnet --to mine.yaml
    """
    from leansort.core.text.packaged_configs import copy_packaged

    print_line(str(copy_packaged(name, to or Path(), overwrite=force)))
