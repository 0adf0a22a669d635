"""The command line: parse, call a public function of `leansort.api`, print.

What these need is imported inside them, so that `--help` and a user's typo answer at once.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from leansort import __version__, api
from leansort.cli import card_command as cards
from leansort.cli import compare_command as comparison
from leansort.cli import compress_command as compression
from leansort.cli import train_commands as training
from leansort.cli.arch_commands import arch_app
from leansort.cli.data_commands import data_app
from leansort.cli.options import (
    BundleEngine,
    Data,
    Engine,
    Json,
    Out,
    Overrides,
    RecipeFile,
    Resume,
    TargetEngine,
    Threads,
    print_line,
    print_result,
)
from leansort.cli.plugins_command import list_kinds
from leansort.cli.recipes_commands import recipes_app
from leansort.cli.tune_commands import tune_app
from leansort.core.errors import LeansortError
from leansort.core.process.extras import missing_extra
from leansort.core.text.renamed_keys import new_option

app = typer.Typer(
    name="leansort",
    help="From labelled photos of trash to the smallest, fastest classifier that still sorts right.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 110},
)
app.add_typer(data_app, name="data")
app.add_typer(arch_app, name="arch")
app.add_typer(tune_app, name="tune")
app.add_typer(recipes_app, name="recipes")
app.command("plugins")(list_kinds)


MOST_SHOWN = 4000  # characters of an error; names in a file from elsewhere may be of any length


def _version(wanted: bool) -> None:
    if wanted:
        print_line(f"leansort {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback on errors.")] = False,
) -> None:
    """From labelled photos of trash to the smallest, fastest classifier that still sorts right.

    \b
    Example: leansort run sample
    """


training.register(app)
compression.register(app)
cards.register(app)
comparison.register(app)


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="model.safetensors, or the folder that holds it.")],
    manifest: Annotated[
        Path, typer.Option(help="Manifest with the val crops on which network and bundle are compared.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The bundle to write.")] = Path("model.leansort"),
    name: Annotated[str, typer.Option(help="Name of the model, as reports show it.")] = "",
    graph_format: Annotated[
        str, typer.Option("--format", help="Format of the graph: onnx, openvino or torch.")
    ] = "onnx",
    target_error: Annotated[
        float | None,
        typer.Option(
            help="Reject uncertain predictions, so that at most this fraction of the accepted ones is wrong.",
            min=0,
            max=1,
        ),
    ] = None,
) -> None:
    """Export a trained model to a verified bundle, its confidences calibrated on val.

    \b
    Example: leansort export runs/sample/train --manifest runs/sample --out model.leansort
    Example: leansort export runs/sample/train --manifest runs/sample --format openvino --target-error 0.02
    """
    result = api.export(model, manifest=manifest, out=out, name=name, format=graph_format, target_error=target_error)
    print_line(f"{out}: {result.size_bytes / 1e6:.2f} MB, {result.parameters:,} parameters, digest {result.digest}")


@app.command()
def bench(
    bundles: Annotated[list[Path], typer.Argument(help="Bundles to compare.")],
    images: Annotated[Path, typer.Option(help="An image, or a folder of images, to classify.")],
    baseline: Annotated[Path | None, typer.Option(help="Bundle that the others are compared with.")] = None,
    seconds: Annotated[float, typer.Option(help="Minimum seconds for each measurement.", min=0.1)] = 3.0,
    queries: Annotated[int, typer.Option(help="Minimum number of calls for each latency.", min=1)] = 1000,
    threads: Annotated[int | None, typer.Option(help="Compute threads of the engine; 1 by default.", min=1)] = None,
    engine: BundleEngine = "",
    profile: Annotated[bool, typer.Option("--profile", help="Also time every layer.")] = False,
    starts: Annotated[int, typer.Option(help="Number of process starts, for cold start and peak memory.", min=0)] = 5,
    as_json: Json = False,
) -> None:
    """Time bundles, interleaved: model, decoding, both; images/s on all cores; cold start; memory.

    \b
    Example: leansort bench model.leansort --images runs/sample/crops/test
    Example: leansort bench small.leansort --baseline model.leansort --images photos/ --profile
    """
    from leansort.workflows.deploy import bench as benches

    result = api.bench(
        bundles,
        images=images,
        baseline=baseline,
        seconds=seconds,
        queries=queries,
        threads=threads,
        engine=engine,
        profile=profile,
        starts=starts,
    )
    if result.warning:
        print_line(f"warning: {result.warning}", to_error=True)
    print_result(result, as_json, benches.text(result))


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="The bundle.")],
    inputs: Annotated[list[str], typer.Argument(help="Images, folders, or - for a list of paths on standard input.")],
    style: Annotated[
        str, typer.Option("--format", help="Output format: text, csv or json (one object per line).")
    ] = "text",
    out: Annotated[Path | None, typer.Option("--out", help="File to write; standard output by default.")] = None,
    threads: Annotated[
        int, typer.Option(help="Threads that decode and run; 0 measures one and all cores and uses the faster.", min=0)
    ] = 0,
    batch: Annotated[int, typer.Option(help="Batch size; 0 measures several and uses the fastest.", min=0)] = 0,
    engine: Engine = "",
) -> None:
    """Classify images. Exit code 1 if any could not be read; the others are still classified.

    With a list on standard input, each image is classified as soon as its path arrives, unless --batch is given.

    \b
    Example: leansort predict model.leansort photos/ --format csv --out labels.csv
    """
    from leansort.workflows.deploy import predict as predictions

    if "-" in inputs and not batch:
        threads, batch = threads or 1, 1
    result = predictions.predict_to(
        bundle,
        predictions.list_inputs(inputs, sys.stdin.buffer),
        out,
        style=style,
        threads=threads,
        batch=batch,
        engine=engine,
    )
    if result.unreadable:
        raise typer.Exit(1)


@app.command()
def submit(
    bundle: Annotated[Path, typer.Argument(help="The bundle.")],
    inputs: Annotated[list[str], typer.Argument(help="The test folder, images, or - for a list of paths.")],
    out: Annotated[Path, typer.Option("--out", help="The submission file.")] = Path("output.csv"),
    threads: Threads = 0,
    engine: BundleEngine = "",
    predictions: Annotated[
        Path | None, typer.Option(help="Also write all probabilities to this file, one JSON object per line.")
    ] = None,
) -> None:
    """Write the contest's submission file.

    \b
    Example: leansort submit model.leansort test/NoLabel --out output.csv
    """
    from leansort.workflows.contest.submit import submit as write
    from leansort.workflows.deploy.known_target import engine_of_recipe
    from leansort.workflows.deploy.predict import list_inputs

    engine = engine or engine_of_recipe([bundle])
    pictures = list(list_inputs(inputs, sys.stdin.buffer))
    result = write(bundle, pictures, out, threads=threads, engine=engine, predictions=predictions)
    for line in result.faults:
        print_line(f"unreadable {line}", to_error=True)
    print_line(f"{out}: {result.pictures} pictures in {result.seconds:.2f} s")
    if result.faults:
        raise typer.Exit(1)


@app.command()
def score(
    answers: Annotated[Path, typer.Argument(help="A submission file, or a bundle, which is run on the images first.")],
    ground_truth: Annotated[Path, typer.Option(help="Manifest, folder of class folders, or CSV image,label.")],
    split: Annotated[str, typer.Option(help="Split of the manifest.")] = "test",
    public: Annotated[Path | None, typer.Option(help="File with the names of the public list, one per line.")] = None,
    private: Annotated[Path | None, typer.Option(help="File with the names of the private list, one per line.")] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Seconds to use in place of the time that the submission states.", min=0)
    ] = None,
    base_f1: Annotated[float, typer.Option(help="Baseline F1 of the time edition.")] = 0.70,
    base_seconds: Annotated[float, typer.Option(help="Baseline time in seconds.")] = 43.16,
    base_macs_f1: Annotated[float, typer.Option(help="Baseline F1 of the MACs edition.")] = 0.8342,
    base_macs: Annotated[int, typer.Option(help="Baseline MACs.")] = 13_863_553,
    engine: BundleEngine = "",
    as_json: Json = False,
) -> None:
    """Macro-F1 with its interval, the per-class table, and the contest's scores in both editions.

    \b
    Example: leansort score output.csv --ground-truth runs/sample --public public.txt --private private.txt
    """
    from leansort.workflows.contest import score as scores

    scored = api.score(
        answers,
        ground_truth=ground_truth,
        split=split,
        public=public,
        private=private,
        seconds=seconds,
        base_f1=base_f1,
        base_seconds=base_seconds,
        base_macs_f1=base_macs_f1,
        base_macs=base_macs,
        engine=engine,
    )
    for line in scored.faults:
        print_line(f"unreadable {line}", to_error=True)
    print_result(scored, as_json, scores.score_table(scored))
    if scored.faults:
        raise typer.Exit(1)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The page; report.html in the run folder by default.")
    ] = None,
) -> None:
    """Lay out a run's results as one page.

    \b
    Example: leansort report runs/sample
    """
    print_line(str(api.report(run, out=out)))


@app.command()
def run(
    recipe: RecipeFile,
    overrides: Overrides = None,
    data: Data = None,
    engine: TargetEngine = "",
    out: Out = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Do a recipe's whole job: data, train, export, bench, submit, score, report.

    \b
    Example: leansort run trashnet --data photos/ --out runs/trashnet
    """
    result = api.run(recipe, overrides or [], data=data, out=out, engine=engine, resume=resume)
    from leansort.workflows.run import run_summary

    print_result(result, as_json, run_summary(result))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 the user's mistake, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a name shows its code
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _stopped)  # so that what was begun is cleared away, as after Ctrl-C
    try:
        code = app(given, standalone_mode=False, prog_name="leansort") or 0
        sys.stdout.flush()
        if code == 130:  # typer has turned Ctrl-C into this already
            raise KeyboardInterrupt
        sys.exit(code)
    except typer.TyperException as error:  # an unknown command or option, a missing argument
        _fail(_mistake(error, given), 2)
    except LeansortError as error:
        if "--debug" in given:
            raise
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted; a run goes on with --resume", 130)
    except ModuleNotFoundError as error:
        missing = missing_extra(error, next((item for item in given if not item.startswith("-")), ""))
        if "--debug" in given or missing is None:
            raise
        _fail(str(missing), missing.exit_code)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        _hush()
        sys.exit(1)
    except OSError as error:  # a full disk under standard output, a folder that may not be entered
        if "--debug" in given:
            raise
        _hush()
        _fail(f"{error.filename or 'output'}: {error.strerror or error}", 1)


def _mistake(error: typer.TyperException, given: Sequence[str]) -> str:
    """What is wrong with the command line: the option, what it got, what it takes."""
    if renamed := _renamed(error, given):
        return renamed
    names = getattr(getattr(error, "param", None), "opts", ())
    got = [value for name, value in pairwise(given) if name in names]
    got += [text.partition("=")[2] for text in given if text.partition("=")[0] in names and "=" in text]
    return " ".join(error.format_message().split()) + (f" (got {got[-1]!r})" if got else "")


def _renamed(error: typer.TyperException, given: Sequence[str]) -> str:
    """The new name of an option or command that had another one once; empty where there is none."""
    words = [word for word in given if not word.startswith("-")]
    option = str(getattr(error, "option_name", None) or "")
    for command in (" ".join(words[:2]), "".join(words[:1])):
        old = f"{command} {option}" if option else command
        if new := new_option(old):
            return f"{old} was renamed: write leansort {new}"
    return ""


def _stopped(number: int, frame: object) -> None:
    sys.exit(128 + number)


def _forked() -> None:
    """Let a forked child end by SIGTERM at once: what there is to clear away is its parent's.

    A handler of Python's runs only between two of its steps, so a child that waits inside a library, for a name server
    that does not answer, could not be ended, and its parent would wait for it.
    """
    if signal.getsignal(signal.SIGTERM) is _stopped:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _hush() -> None:
    """Keep the interpreter from writing what is left to an output that takes no more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> None:
    line = " ".join(message.splitlines())  # a name may hold a line break
    line = line if len(line) <= MOST_SHOWN else f"{line[:MOST_SHOWN]} ... ({len(line):,} characters)"
    print_line(f"error: {line}", to_error=True)
    sys.exit(code)
