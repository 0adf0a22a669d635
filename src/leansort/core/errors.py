"""Errors a person can act on: what, got, allowed, did you mean.

Everything raised on purpose derives from `LeansortError`; the command line turns it into one line and an
exit code, so no other floor prints or exits.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LeansortError(Exception):
    """A failure with one clear line for the user. Exit code 1: the work was understood but failed."""

    exit_code = 1


class MachineError(LeansortError):
    """The machine is at fault, not the work: a full disk, a folder that cannot be written, a database that is away."""


class UserError(LeansortError):
    """The user's input cannot be used. Exit code 2: nothing was started."""

    exit_code = 2


class IntegrityError(UserError):
    """A stored file is not what was written: wrong hash, size, name or schema."""


class EngineError(UserError):
    """An engine that does not bear a bundle: it crashed, hung or failed. Another one has to be chosen."""


class MissingExtraError(UserError):
    """A library of an optional extra is needed and not installed.

    Attributes:
        module: the library.
        extra: the extra of leansort that brings it.
    """

    def __init__(self, module: str, extra: str) -> None:
        self.module, self.extra = module, extra
        super().__init__(f"this needs {module!r}, which is not installed; run: pip install 'leansort[{extra}]'")


def one_line(error: object, most: int | None = 160) -> str:
    """Return what an error of a library says, on one line: its first `most` characters, or all of them."""
    return " ".join(str(error).split())[:most]


def did_you_mean(got: str, allowed: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for the closest allowed name, or an empty string."""
    close = difflib.get_close_matches(got, [str(name) for name in allowed], n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def not_one_of(what: str, got: str, allowed: Iterable[str]) -> UserError:
    """Build the error for a name that is not among the allowed ones."""
    names = sorted(str(name) for name in allowed)
    return UserError(f"{what}: got {got!r}, allowed: {', '.join(names)}{did_you_mean(got, names)}")
