"""The public functions and the commands are one thing: the same verbs, names, defaults and ranges."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import pytest
import typer

import leansort
from leansort import api
from leansort.cli import app

# Commands of the functions, where they are not the same word; None where there is no such command.
COMMAND_OF = {
    "load_recipe": None, "tune": "tune run", "tune_best": "tune best", "draw_sample": "data sample",
    "import_data": "data import", "split_data": "data split", "check_data": "data check",
    "doubt_labels": "data doubt", "add_data": "data add", "diff_data": "data diff", "leave_out": "leave-out",
    "compare_all": "compare",
}  # fmt: skip
VERBS = {name: COMMAND_OF.get(name, name) for name in api.__all__}
SHARED = [(name, command) for name, command in VERBS.items() if command]
# Options of a command that its function does not have: how it prints, and where its lines go.
PRINTING = {"json"}
ONLY_COMMAND: Mapping[str, set[str]] = {
    "compare": {"more"},  # of more than two there is `compare_all`
    "compare_all": {"a", "b", "more", "engine_b"},  # in one list
    "predict": {"format", "out", "ray"},  # a cluster's predictions are a folder, not a result in memory
    "import_data": {"dry_run"},
    "check_data": {"html", "strict"},
    "watch": {"strict"},
}
# What the command line gives by itself: its standard input, and where alarms are printed.
ONLY_FUNCTION: Mapping[str, set[str]] = {
    "watch": {"stream", "on_alarm"},
    "sort": {"stream", "on_decision"},
    "compare_all": {"classifiers"},  # the command's arguments
}
# What the command needs, too, but for --dry-run.
REQUIRED = {("import_data", "out")}
# Parameters that the command line writes in one word of its own.
RENAMED = {"from": "warm_start"}


def commands() -> dict[str, Any]:
    """The commands by path, such as `tune best`."""
    found: dict[str, Any] = {}

    def walk(command: Any, path: str) -> None:
        for name, child in getattr(command, "commands", {}).items():
            walk(child, f"{path} {name}".strip())
        if not getattr(command, "commands", {}):
            found[path] = command

    walk(typer.main.get_command(app), "")
    return found


def plain(default: Any) -> Any:
    """A default value, whichever way it says that there is none."""
    return None if default in (None, (), []) else str(default) if isinstance(default, PurePath) else default


def options(command: Any, verb: str) -> dict[str, Any]:
    """A command's parameters by the names that its function gives them."""
    named = {}
    for item in command.params:
        long = next((text[2:] for text in item.opts if text.startswith("--")), item.name)
        name = long.replace("-", "_")
        if name not in PRINTING | ONLY_COMMAND.get(verb, set()) | {"help"}:
            named[RENAMED.get(name, name)] = item
    return named


@pytest.mark.parametrize(("verb", "command"), SHARED)
def test_a_function_takes_what_its_command_takes(verb: str, command: str) -> None:
    parameters = inspect.signature(getattr(api, verb)).parameters
    assert set(parameters) - ONLY_FUNCTION.get(verb, set()) == set(options(commands()[command], verb))


@pytest.mark.parametrize(("verb", "command"), SHARED)
def test_a_function_has_the_defaults_of_its_command(verb: str, command: str) -> None:
    parameters = inspect.signature(getattr(api, verb)).parameters
    for name, option in options(commands()[command], verb).items():
        ours = parameters[name].default
        required = option.required or (verb, name) in REQUIRED
        assert (ours is inspect.Parameter.empty) == required, name
        assert required or plain(ours) == plain(option.default), name


@pytest.mark.parametrize(("verb", "command"), SHARED)
def test_a_function_refuses_the_numbers_that_its_command_refuses(verb: str, command: str) -> None:
    function = getattr(leansort, verb)
    parameters = inspect.signature(getattr(api, verb)).parameters
    needed = {name: "not there" for name, item in parameters.items() if item.default is inspect.Parameter.empty}
    for name, option in options(commands()[command], verb).items():
        least, most = option.min, option.max
        for value in ([] if least is None else [least - 1]) + ([] if most is None else [most + 1]):
            with pytest.raises(leansort.UserError, match=f"{name}: got {value}, allowed"):
                function(**{**needed, name: value})
