"""Options that several commands share, and how results are printed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leansort.cli.completion.offered_names import offer_engines, offer_recipes
from leansort.core.process.distributed import is_first_process
from leansort.core.writing.escaping import json_text, printable, printable_lines

if TYPE_CHECKING:  # pydantic takes longer to import than `--help` may
    from leansort.core.files.typed_result import TypedResult

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
RecipeFile = Annotated[
    Path,
    typer.Argument(
        help="The recipe: a YAML file, or a name that `leansort recipes list` shows.", autocompletion=offer_recipes
    ),
]
Overrides = Annotated[
    list[str] | None, typer.Argument(help="Overrides such as train.epochs=3.", metavar="[KEY=VALUE]...")
]
Threads = Annotated[int, typer.Option(help="Threads that decode and run; 0 uses every core.", min=0)]
Engine = Annotated[
    str,
    typer.Option(
        help="What runs the graph: an engine's name, with settings or not (openvino:precision=bf16), or auto for the "
        "fastest; what suits the bundle by default.",
        autocompletion=offer_engines,
    ),
]
BundleEngine = Annotated[
    str,
    typer.Option(
        "--engine",
        help="Engine, as for predict; by default the target of the recipe beside the bundle, or its format's own.",
        autocompletion=offer_engines,
    ),
]
TargetEngine = Annotated[
    str,
    typer.Option(
        "--engine",
        help="Replaces the recipe's target.engine and its settings, e.g. openvino:precision=bf16.",
        autocompletion=offer_engines,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        help="Address of `leansort agent` on the device, which measures there: http://HOST:PORT, https://HOST:PORT or "
        "ssh:HOST.",
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the results; runs/NAME by default.")]
Data = Annotated[Path | None, typer.Option("--data", help="Replaces the recipe's data.path.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")]


def print_result(value: TypedResult | dict[str, Any], as_json: bool, text: str) -> None:
    """Print a result: as JSON for machines, else as text; of several processes the first one does."""
    if is_first_process():
        tree = value if isinstance(value, dict) else value.to_json()
        print(json_text(tree, indent=2) if as_json else printable_lines(text))


def print_line(line: str, *, to_error: bool = False) -> None:
    """Print one line for a person, whatever the names in it hold."""
    print(printable(line), file=sys.stderr if to_error else sys.stdout)
