"""`leansort completion`: the script that makes a shell complete leansort's commands, options and names."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

VARIABLE = "_LEANSORT_COMPLETE"  # set by the script whenever the shell asks; named as typer names it
UNBROKEN = "10000"  # columns: typer lays help out as for a terminal, and zsh and fish take its second line for a name


class Shell(StrEnum):
    """A shell that typer writes a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="The shell that the script is for.")]) -> None:
    """Print the script that makes a shell complete commands, options, recipes, models and engines.

    \b
    Example: source <(leansort completion bash)         # now; put the line into ~/.bashrc to keep it
    Example: source <(leansort completion zsh)          # in ~/.zshrc, below compinit
    Example: leansort completion fish | source          # in ~/.config/fish/config.fish
    """
    from typer.completion import shell_complete
    from typer.main import get_command

    from leansort.cli import app

    know_shells()
    raise typer.Exit(shell_complete(get_command(app), {}, "leansort", VARIABLE, f"source_{shell.value}"))


def answer_shells() -> None:
    """Let the next call of the command line answer where it is a shell that asks."""
    if VARIABLE in os.environ:
        os.environ["COLUMNS"] = UNBROKEN
        know_shells()


def know_shells() -> None:
    """Make typer know the shells, which it does by itself only for programs with its options `--install-completion`."""
    from typer.completion import get_completion_inspect_parameters

    get_completion_inspect_parameters()
