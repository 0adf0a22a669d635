"""`leansort compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from leansort import api
from leansort.cli.completion.offered_names import offer_models
from leansort.cli.options import BundleEngine, Json, print_line, print_result
from leansort.core.errors import UserError

if TYPE_CHECKING:
    from leansort.measure.comparison.comparison_result import ComparisonResult
    from leansort.measure.comparison.multiple_comparison import MultipleComparisonResult


class SharedOptions(TypedDict):
    """What is passed on alike, whether two are compared or more."""

    split: str
    engine: str
    threads: int | None
    seconds: float
    queries: int
    seed: int
    page: Path | None


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
    more: Annotated[
        list[Path] | None,
        typer.Argument(help="More of them; each is compared with A.", metavar="C", autocompletion=offer_models),
    ] = None,
    *,
    ground_truth: Annotated[
        Path, typer.Option("--ground-truth", "--data", help="Manifest, folder of class folders, or CSV image,label.")
    ],
    split: Annotated[str, typer.Option(help="Split of the manifest, or of class folders with splits.")] = "val",
    engine: BundleEngine = "",
    engine_b: Annotated[
        str | None, typer.Option(help="Engine of B, if it is another one than A's; of two alone.", show_default=False)
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
    """Compare bundles, or files of answers, with the first on the same crops: accuracy, size, latency, and a verdict.

    \b
    Example: leansort compare old.leansort new.leansort --ground-truth runs/sample
    Example: leansort compare first.csv second.csv --ground-truth photos/ --split test --json
    Example: leansort compare runs/first runs/second --ground-truth runs/first --page compare.html
    Example: leansort compare trashnet-lean trashnet-hardy answers.csv --ground-truth photos/ --seconds 0
    """
    from leansort.report.comparison.multiple_comparison_table import multiple_comparison_text
    from leansort.report.comparison_table import comparison_text

    shared: SharedOptions = {
        "split": split,
        "engine": engine,
        "threads": threads,
        "seconds": seconds,
        "queries": queries,
        "seed": seed,
        "page": page,
    }
    if more:
        if engine_b is not None:
            count = 2 + len(more)
            raise UserError(f"compare: --engine-b has an effect where two are compared, got {count}; give --engine")
        several = api.compare_all([a, b, *more], ground_truth, **shared)
        _print(several, as_json, multiple_comparison_text(several))
    else:
        two = api.compare(a, b, ground_truth, engine_b=engine_b, **shared)
        _print(two, as_json, comparison_text(two))


def _print(result: ComparisonResult | MultipleComparisonResult, as_json: bool, text: str) -> None:
    if result.warning:
        print_line(f"warning: {result.warning}", to_error=True)
    print_result(result, as_json, text)
