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
from leansort.cli import average_command as averaging
from leansort.cli import bundle_commands as bundles
from leansort.cli import compare_command as comparison
from leansort.cli import compress_command as compression
from leansort.cli import train_commands as training
from leansort.cli.arch_commands import arch_app
from leansort.cli.cascading.cascade_command import cascade
from leansort.cli.contest.contest_command import contest
from leansort.cli.data_commands import data_app
from leansort.cli.device.agent_command import agent
from leansort.cli.field.mine_command import mine
from leansort.cli.field.sort_command import sort
from leansort.cli.field.watch_command import watch
from leansort.cli.goals.solve_command import solve
from leansort.cli.goals.status_command import status
from leansort.cli.options import (
    Data,
    Device,
    Json,
    Out,
    Overrides,
    RecipeFile,
    Resume,
    TargetEngine,
    print_line,
    print_result,
)
from leansort.cli.packaged.completion_command import answer_shells, completion
from leansort.cli.packaged.doctor_command import doctor
from leansort.cli.packaged.models_command import models
from leansort.cli.packaged.plugins_command import list_kinds
from leansort.cli.packaged.recipes_commands import recipes_app
from leansort.cli.robustness.stress_command import stress
from leansort.cli.tune_commands import tune_app
from leansort.core.errors import LeansortError, MissingExtraError
from leansort.core.process.extras import for_verb, missing_extra
from leansort.core.text.renamed_keys import new_option
from leansort.core.writing.escaping import printable_lines

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


def report(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The page; report.html in the run folder by default.")
    ] = None,
    stress: Annotated[
        Path | None, typer.Option(help="Stress test of the bundle: folder or stress.json; RUN/stress by default.")
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option(help="Search whose trials are shown: folder or tune.json; the one that the run is a trial of."),
    ] = None,
    unknown: Annotated[
        Path | None, typer.Option(help="JSON of leansort score --unknown; RUN/unknown.json by default.")
    ] = None,
    doubt: Annotated[
        Path | None, typer.Option(help="Doubtful labels: folder or doubt.json; RUN or RUN/doubt by default.")
    ] = None,
    maps: Annotated[
        int, typer.Option(help="Number of mistakes of which evidence is drawn, and of half as many doubts.", min=0)
    ] = 12,
    photos: Annotated[
        int, typer.Option(help="Most photos behind the cells of the confusion matrix; 0: none.", min=0)
    ] = 240,
) -> None:
    """Lay out a run's results as one page.

    \b
    Example: leansort report runs/sample
    Example: leansort report runs/sample --stress stress --study runs/search --out page.html
    """
    page = api.report(run, out=out, stress=stress, study=study, unknown=unknown, doubt=doubt, maps=maps, photos=photos)
    print_line(str(page))


def run(
    recipe: RecipeFile,
    overrides: Overrides = None,
    data: Data = None,
    engine: TargetEngine = "",
    device: Device = "",
    out: Out = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Do a recipe's whole job: data, train, export, bench, submit, score, report; with a goal, as solve does.

    \b
    Example: leansort run trashnet --data photos/ --out runs/trashnet
    """
    result = api.run(recipe, overrides or [], data=data, out=out, engine=engine, device=device, resume=resume)
    from leansort.workflows.finishing.run_result import run_summary
    from leansort.workflows.solving.solve_result import SolveResult, solve_text

    text = solve_text(result) if isinstance(result, SolveResult) else run_summary(result)
    print_result(result, as_json, text)


app.command()(solve)
app.command()(run)
app.command()(status)
training.register(app)
averaging.register(app)
compression.register(app)
bundles.register(app)
app.command()(cascade)
comparison.register(app)
app.command()(stress)
app.command()(contest)
app.command()(sort)
app.command()(watch)
app.command()(mine)
app.command()(agent)
app.command()(report)
app.command()(models)
app.command()(doctor)
app.command("plugins")(list_kinds)
app.command()(completion)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 the user's mistake, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a name shows its code
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _stopped)  # so that what was begun is cleared away, as after Ctrl-C
    answer_shells()
    try:
        code = app(given, standalone_mode=False, prog_name="leansort") or 0
        sys.stdout.flush()
        if code == 130:  # typer has turned Ctrl-C into this already
            raise KeyboardInterrupt
        sys.exit(code)
    except typer.TyperException as error:  # an unknown command or option, a missing argument
        if _is_help(error):
            print(printable_lines(error.format_message()), file=sys.stderr)
            sys.exit(2)
        _fail(_mistake(error, given), 2)
    except LeansortError as error:
        if "--debug" in given:
            raise
        shown = for_verb(error, _verb(given)) if isinstance(error, MissingExtraError) else error
        _fail(str(shown), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted; a run goes on with --resume, a solve with the same command", 130)
    except ModuleNotFoundError as error:
        missing = missing_extra(error, _verb(given))
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


def _verb(given: Sequence[str]) -> str:
    """The command that was asked for."""
    return next((item for item in given if not item.startswith("-")), "")


def _is_help(error: typer.TyperException) -> bool:
    """Whether it is the help of a group that was called without a command; typer keeps the class of that private."""
    context = getattr(error, "ctx", None)
    return context is not None and error.format_message() == context.get_help()


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
