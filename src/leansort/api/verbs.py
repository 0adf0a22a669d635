"""What every public function does alike: check its numbers, and say which extra brings a library that is missing."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeAlias, TypeVar

from leansort.core.errors import MissingExtraError, UserError
from leansort.core.locations.location import location
from leansort.core.process.extras import for_verb, missing_extra

AnyPath: TypeAlias = str | os.PathLike[str]
P = ParamSpec("P")
R = TypeVar("R")
Range = tuple[float, float]


def verb(**ranges: float | Range) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function a public one.

    Args:
        **ranges: by parameter, the least number allowed, or the least and the largest; None as an argument passes.

    Returns:
        A decorator. What it makes raises `UserError` for a number out of its range before anything is started, and
        for a library that is not installed.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature, name = inspect.signature(function), function.__name__

        @functools.wraps(function)
        def checked(*arguments: P.args, **named: P.kwargs) -> R:
            given = signature.bind(*arguments, **named).arguments
            for parameter, allowed in ranges.items():
                require_within(f"{name}: {parameter}", given.get(parameter), allowed)
            try:
                return function(*arguments, **named)
            except MissingExtraError as error:
                raise for_verb(error, name) from error
            except ModuleNotFoundError as error:
                missing = missing_extra(error, name)
                if missing is None:
                    raise
                raise missing from error

        return checked

    return decorate


def several(paths: AnyPath | Sequence[AnyPath]) -> list[Path]:
    """Return one path, or several, as a list of paths."""
    if isinstance(paths, str) or not isinstance(paths, Sequence):
        return [location(paths)]
    return [location(path) for path in paths]


def optional(path: AnyPath | None) -> Path | None:
    """Return a path, or None where none was given."""
    return None if path is None else location(path)


def require_within(where: str, value: object, allowed: float | Range) -> None:
    """Refuse a number out of its range, and what is no number; None passes.

    Raises:
        UserError: naming `where`, what was given and what is allowed.
    """
    least, most = allowed if isinstance(allowed, tuple) else (allowed, None)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{where}: got {value!r}, need a number")
    if not (value >= least and (most is None or value <= most)):
        raise UserError(
            f"{where}: got {value!r}, allowed: {least:g} or more{'' if most is None else f', at most {most:g}'}"
        )


def with_device(overrides: Sequence[str], device: str) -> list[str]:
    """Return a recipe's overrides with the device that is named, if one is."""
    return [*overrides, *([f"target.device={device}"] if device else [])]
